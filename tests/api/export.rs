//! `livecounter export`, as an operator calls it.

use std::path::Path;
use std::process::Output;

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::SqliteStore;
use livecounter::store::{Change, Store, Values, Write};

use crate::program::{Program, program};
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
    assert_eq!(
        exported(directory.path(), &[], &["--prefix", "\u{1}é*%_"]),
        FIRST_LINE.to_owned() + &last_line(0)
    );

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
    let store = RedisStore::connect(&url, std::time::Duration::from_secs(2)).expect("a URL");
    let expected = fill(&store).await;
    // What the origin announces meanwhile has a past.
    let values = ["--without-past"];
    assert_eq!(exported(directory.path(), &environment, &values), expected.clone() + &last_line(1200));
    origin.add("z").await;
    let expected = expected + "{\"id\":\"z\",\"value\":1}\n" + &last_line(1201);
    assert_eq!(exported(directory.path(), &environment, &values), expected);
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

#[tokio::test]
async fn a_cluster_and_a_redis_behind_sentinels_are_exported() {
    let directory = tempfile::tempdir().expect("a directory");
    let cluster = RedisCluster::start(3, 0, &[]).await;
    let sentinels = RedisSentinels::start(1, 1, &[], "").await;
    for url in [cluster.url(), sentinels.url()] {
        let store = RedisStore::connect(&url, std::time::Duration::from_secs(2)).expect("a URL");
        let expected = fill(&store).await + &last_line(1200);
        let environment = [("REDIS_URL", url.as_str()), ("GRIP_URL", PROXY_URL.as_str())];
        assert!(exported(directory.path(), &environment, &[]) == expected, "{url}");
    }
}
