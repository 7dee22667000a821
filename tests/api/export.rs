//! `livecounter export`, as an operator calls it.

use std::fs::Permissions;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::SqliteStore;
use livecounter::store::{Change, ClaimTerms, LONGEST_LEASE, Outbox, Store, Values, Write};
use serde_json::Value;

use crate::import::done;
use crate::program::{Program, output, program};
use crate::support::deployment::PROXY_URL;
use crate::support::redis::RedisServer;
use crate::support::redis_cluster::RedisCluster;
use crate::support::redis_sentinels::RedisSentinels;
use crate::support::server::Server;

const FIRST_LINE: &str = "{\"format\":\"livecounter\",\"version\":1}\n";

fn export(directory: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = program(directory);
    let command = command.arg("export").args(arguments).envs(environment.iter().copied());
    command.output().expect("the program to run")
}

fn exported(directory: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let output = export(directory, environment, arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The last line of an export with so many counters.
fn last_line(counters: usize) -> String {
    format!("{{\"end\":true,\"counters\":{counters}}}\n")
}

/// Stores 1,200 counters, a deleted one and a topic that is no counter's; returns the lines of an export of the counters but the last.
async fn fill(store: &dyn Store) -> String {
    let topic = |name: String| name.parse::<Topic>().expect("a topic");
    let number = |n: i64| if n == 7 { -9_007_199_254_740_991 } else { n };
    let named = |n: i64| topic(format!("counter-{n:04}"));
    let mut writes: Vec<_> = (0..1200).map(|n| Write::new(named(n), Change::Set(number(n)))).collect();
    writes.push(Write::add(topic("other".into()), 1, None));
    writes.push(Write::add(topic("counter-deleted".into()), 1, None));
    writes.push(Write::new(topic("counter-deleted".into()), Change::Delete));
    for written in store.write(writes).await {
        written.expect("written");
    }
    let lines = (0..1200).map(|n| format!("{{\"id\":\"{n:04}\",\"value\":{}}}\n", number(n)));
    std::iter::once(FIRST_LINE.to_owned()).chain(lines).collect()
}

#[tokio::test]
async fn a_file_is_exported_when_no_process_has_it_open() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path().join("livecounter.db")).expect("a new file");
    let expected = fill(&store).await + &last_line(1200);
    drop(store);
    assert_eq!(exported(directory.path(), &[], &[]), expected);
    assert_eq!(exported(directory.path(), &[], &["--output", "all"]), "");
    let read = |name| std::fs::read_to_string(directory.path().join(name)).expect("a file");
    assert_eq!(read("all"), expected);
    let some = exported(directory.path(), &[], &["--prefix", "000"]);
    assert_eq!((some.lines().count(), some.starts_with(FIRST_LINE)), (12, true), "{some}");
    assert_eq!(exported(directory.path(), &[], &["--prefix", ".."]), FIRST_LINE.to_owned() + &last_line(0));

    // An export that fails does not change the file of the earlier one, and leaves no other file behind.
    let _origin = Program::start(directory.path(), &[]);
    let refused = export(directory.path(), &[], &["--output", "all"]);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && text.contains("in use by another process"), "{text}");
    assert!(read("all") == expected && !directory.path().join("all.part").exists());
}

#[tokio::test]
async fn redis_is_exported_beside_a_running_origin() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let environment = [("REDIS_URL", url.as_str()), ("GRIP_URL", PROXY_URL.as_str())];
    let origin = Program::start(directory.path(), &environment);
    let store = RedisStore::connect(&url, Duration::from_secs(2)).expect("a URL");
    let expected = fill(&store).await;
    // What the origin announces meanwhile has a past.
    let values = ["--without-past"];
    assert_eq!(exported(directory.path(), &environment, &values), expected.clone() + &last_line(1200));
    origin.add("z").await;
    let expected = expected + "{\"id\":\"z\",\"value\":1}\n" + &last_line(1201);
    assert_eq!(exported(directory.path(), &environment, &values), expected);
}

#[test]
fn a_pipe_and_a_link_stay_and_a_file_keeps_its_permissions() {
    let directory = tempfile::tempdir().expect("a directory");
    done(directory.path(), &[], &["import", "--set"], "{\"id\":\"a\",\"value\":1}");
    let expected = format!("{FIRST_LINE}{{\"id\":\"a\",\"value\":1}}\n{}", last_line(1));
    let path = |name| directory.path().join(name);
    let made = std::process::Command::new("mkfifo").arg(path("pipe")).status();
    assert!(made.expect("mkfifo").success());
    let pipe = path("pipe");
    let reader = std::thread::spawn(move || std::fs::read_to_string(pipe).expect("text"));
    assert_eq!(exported(directory.path(), &[], &["--output", "pipe"]), "");
    assert!(std::fs::metadata(path("pipe")).expect("a pipe").file_type().is_fifo());
    assert_eq!(reader.join().expect("no panic"), expected);

    std::fs::write(path("file"), "before").expect("a file");
    std::fs::set_permissions(path("file"), Permissions::from_mode(0o600)).expect("permissions");
    std::os::unix::fs::symlink("file", path("link")).expect("a link");
    assert_eq!(exported(directory.path(), &[], &["--output", "link"]), "");
    assert!(path("link").is_symlink());
    assert_eq!(std::fs::read_to_string(path("file")).expect("a file"), expected);
    assert_eq!(std::fs::metadata(path("file")).expect("a file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    done(directory.path(), &[], &["import", "--set"], "{\"id\":\"a\",\"value\":1}");
    for (output, expected) in [
        (".", "cannot write .: Is a directory (os error 21)"),
        ("none/all", "cannot write none/all.part: No such file or directory (os error 2)"),
    ] {
        let failed = export(directory.path(), &[], &["--output", output]);
        let text = String::from_utf8_lossy(&failed.stderr);
        assert_eq!((failed.status.code(), &*text), (Some(1), &*format!("livecounter: {expected}\n")));
    }
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a device");
    let failed = program(directory.path()).arg("export").stdout(full).output().expect("the program to run");
    let expected = "livecounter: cannot write the export: No space left on device (os error 28)\n";
    assert_eq!((failed.status.code(), &*String::from_utf8_lossy(&failed.stderr)), (Some(1), expected));
}

#[test]
fn a_file_that_is_not_there_is_not_created_by_an_export() {
    let directory = tempfile::tempdir().expect("a directory");
    for arguments in [&[][..], &["--output", "all"]] {
        let refused = export(directory.path(), &[], arguments);
        let text = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(2) && text.contains("livecounter.db"), "{text}");
        assert!(std::fs::read_dir(directory.path()).expect("the directory").next().is_none());
    }
}

#[tokio::test]
async fn a_reader_that_stops_early_ends_an_export_quietly() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path().join("livecounter.db")).expect("a new file");
    let topic = |n: i64| format!("counter-{n:060}").parse::<Topic>().expect("a topic");
    store.write((0..3000).map(|n| Write::new(topic(n), Change::Set(n))).collect()).await;
    drop(store);
    let line = "\"$0\" export 2> problem | head -n 1; cat problem";
    let mut shell = std::process::Command::new("sh");
    let shell = shell.args(["-c", line, env!("CARGO_BIN_EXE_livecounter")]).current_dir(directory.path());
    let output = shell.output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout), FIRST_LINE);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_past_is_ahead_of_its_value_while_counters_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let store = RedisStore::connect(&url, Duration::from_secs(10)).expect("a URL");
    let topics: Vec<Topic> = (0..500).map(|n| format!("counter-{n:03}").parse().expect("a topic")).collect();
    let change = async move || {
        store.write(topics.iter().map(|topic| Write::add(topic.clone(), 1, None)).collect()).await;
        store.claim(topics.clone(), ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE }).await;
    };
    change().await;
    let changes = tokio::spawn(async move {
        loop {
            change().await;
        }
    });
    let environment = [("REDIS_URL", url.as_str()), ("GRIP_URL", "http://127.0.0.1:1/")];
    for _ in 0..5 {
        let exported = exported(directory.path(), &environment, &[]);
        let lines: Vec<Value> =
            exported.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 502);
        for line in &lines[1..501] {
            for unit in ["hours", "days"] {
                let last = line[unit].as_array().and_then(|points| points.last()).expect("a past");
                assert!(last[1].as_i64() <= line["value"].as_i64(), "{line}");
            }
        }
    }
    changes.abort();
}

#[tokio::test]
async fn a_cluster_and_a_redis_behind_sentinels_are_exported() {
    let directory = tempfile::tempdir().expect("a directory");
    let cluster = RedisCluster::start(3, 0, &[]).await;
    let sentinels = RedisSentinels::start(1, 1, &[], "").await;
    for url in [cluster.url(), sentinels.url()] {
        let store = RedisStore::connect(&url, Duration::from_secs(2)).expect("a URL");
        let expected = fill(&store).await + &last_line(1200);
        let environment = [("REDIS_URL", url.as_str()), ("GRIP_URL", PROXY_URL.as_str())];
        assert!(exported(directory.path(), &environment, &[]) == expected, "{url}");
    }
}

#[test]
fn a_prefix_that_no_id_can_have_is_named() {
    let long = "a".repeat(10_000);
    for (prefix, expected) in [
        ("shop-*", "a counter id consists of A-Z a-z 0-9 . _ ~ -, character 6 is another"),
        ("^shop", "a counter id consists of A-Z a-z 0-9 . _ ~ -, character 1 is another"),
        ("a\n\u{1b}[2J", "a counter id consists of A-Z a-z 0-9 . _ ~ -, character 2 is another"),
        ("é", "a counter id consists of A-Z a-z 0-9 . _ ~ -, character 1 is another"),
        ("counters/1", "a counter id consists of A-Z a-z 0-9 . _ ~ -, character 9 is another"),
        (&long, "a counter id has at most 64 characters, this one has 10000"),
    ] {
        let refused = output(&[], &["export", "--prefix", prefix]);
        let text = String::from_utf8_lossy(&refused.stderr);
        let expected =
            format!("livecounter: --prefix must be the beginning of ids, as plain text: {expected}\n");
        assert_eq!((refused.status.code(), &*text), (Some(2), &*expected));
    }
}
