//! `livecounter import`, as an operator calls it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::SqliteStore;
use livecounter::store::{Catalog, Change, Values, Write};

use crate::program::{Program, program};
use crate::support::deployment::PROXY_URL;
use crate::support::redis::RedisServer;
use crate::support::redis_cluster::RedisCluster;
use crate::support::wait::{until, until_within};
use crate::witness::Witness;

const FIRST_LINE: &str = "{\"format\":\"livecounter\",\"version\":1}\n";

/// Runs a command of the program with this standard input.
pub(crate) fn run(directory: &Path, environment: &[(&str, &str)], words: &[&str], input: &[u8]) -> Output {
    let mut command = program(directory);
    command.args(words).envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program to start");
    // The program may end before it has read all of its input.
    let _ = child.stdin.take().expect("its input").write_all(input);
    child.wait_with_output().expect("its output")
}

/// The text of a command that succeeds.
pub(crate) fn done(directory: &Path, environment: &[(&str, &str)], words: &[&str], input: &str) -> String {
    let output = run(directory, environment, words, input.as_bytes());
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// An export that has these lines.
pub(crate) fn export_of(lines: &[String]) -> String {
    format!("{FIRST_LINE}{}{{\"end\":true,\"counters\":{}}}\n", lines.concat(), lines.len())
}

/// An export with these counters, in the order of their ids.
fn export_of_counters(counters: impl Iterator<Item = (String, i64)>) -> String {
    let line = |(id, value)| format!("{{\"id\":\"{id}\",\"value\":{value}}}\n");
    export_of(&counters.map(line).collect::<Vec<_>>())
}

/// Takes an export from a file to Redis, to another file, to a Cluster and back to the first file, into each of them twice. Asserts that it is always
/// the same, and calls `then` for each store.
pub(crate) async fn comes_back_unchanged(text: &str, then: impl Fn(&Path, &[(&str, &str)])) {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let (redis, cluster) = (RedisServer::start(), RedisCluster::start(3, 0, &[]).await);
    let (redis, cluster) = (redis.url(), cluster.url());
    done(first.path(), &[], &["import", "--set"], text);
    let exported = done(first.path(), &[], &["export"], "");
    assert!(exported == text, "{exported}");
    for (directory, environment) in [
        (&first, &redis_environment(&redis)[..]),
        (&second, &[]),
        (&second, &redis_environment(&cluster)),
        (&first, &[]),
    ] {
        for _ in 0..2 {
            done(directory.path(), environment, &["import", "--set"], &exported);
            assert!(done(directory.path(), environment, &["export"], "") == text, "{environment:?}");
        }
        then(directory.path(), environment);
    }
}

fn many(counters: i64) -> String {
    let limit = 9_007_199_254_740_991;
    let value = |n| if n % 3 == 0 { n - limit } else { n * 1_000 };
    export_of_counters((0..counters).map(|n| (format!("counter-~._{n:07}"), value(n))))
}

pub(crate) fn redis_environment(url: &str) -> [(&str, &str); 2] {
    [("REDIS_URL", url), ("GRIP_URL", PROXY_URL.as_str())]
}

#[tokio::test]
async fn an_export_goes_from_a_file_to_redis_and_back_unchanged() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let (redis, cluster) = (RedisServer::start(), RedisCluster::start(3, 0, &[]).await);
    let text = many(10_000);
    let began = Instant::now();
    assert_eq!(done(first.path(), &[], &["import", "--set"], &text), "10000 counters are set\n");
    let exported = done(first.path(), &[], &["export"], "");
    assert!(exported == text);
    for url in [redis.url(), cluster.url()] {
        let environment = redis_environment(&url);
        done(first.path(), &environment, &["import", "--set", "-"], &exported);
        assert!(done(first.path(), &environment, &["export", "--output", "all"], "").is_empty());
        assert!(std::fs::read_to_string(first.path().join("all")).expect("a file") == text, "{url}");
    }
    let all = first.path().join("all").display().to_string();
    done(second.path(), &[], &["import", "--set", &all], "");
    assert!(done(second.path(), &[], &["export"], "") == text);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn adding_the_same_input_again_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let input = "{\"id\":\"a\",\"value\":5}\n{\"id\":\"b\",\"value\":-2}\n{\"id\":\"c\",\"value\":0}\n{\"id\":\"a\",\"value\":7}";
    for environment in [&[][..], &redis_environment(&url)] {
        done(directory.path(), environment, &["import", "--set"], "{\"id\":\"a\",\"value\":100}");
        let first = done(directory.path(), environment, &["import", "--add"], input);
        assert_eq!(first, "4 values for 3 counters are added\n");
        let of =
            |values: [i64; 3]| export_of_counters(["a", "b", "c"].map(str::to_owned).into_iter().zip(values));
        let expected = of([112, -2, 0]);
        for _ in 0..2 {
            let again = done(directory.path(), environment, &["import", "--add"], input);
            assert!(
                again.starts_with("nothing is added: an import of the same input was finished on 20"),
                "{again}"
            );
            assert_eq!(done(directory.path(), environment, &["export"], ""), expected);
        }
        // Removing old counters does not remove the record of the import.
        let pruned = done(directory.path(), environment, &["prune", "--before", "2026-01-01", "--yes"], "");
        assert!(pruned.starts_with("0 of 3 topics"), "{pruned}");
        let named = ["import", "--add", "--import-id", "once more"];
        for _ in 0..2 {
            done(directory.path(), environment, &named, input);
            assert_eq!(done(directory.path(), environment, &["export"], ""), of([124, -4, 0]));
        }
        assert_eq!(
            done(directory.path(), environment, &["import", "--set"], &expected),
            "3 counters are set\n"
        );
        assert_eq!(done(directory.path(), environment, &["export"], ""), expected);
    }
}

#[tokio::test]
async fn an_import_that_was_killed_is_finished_by_a_repetition() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let counters = 20_000;
    let text = export_of_counters((0..counters).map(|n| (format!("{n:06}"), n + 1)));
    std::fs::write(directory.path().join("all"), &text).expect("a file");
    for environment in [&[][..], &redis_environment(&url)] {
        let import = ["import", "--add", "all"];
        let mut child = program(directory.path()).args(import).envs(environment.iter().copied()).spawn();
        let child = child.as_mut().expect("the program to start");
        // It is killed when some counters are stored, but hardly all.
        let stored = async || {
            if environment.is_empty() {
                return std::fs::metadata(directory.path().join("livecounter.db-wal"))
                    .is_ok_and(|file| file.len() > 500_000);
            }
            let store = RedisStore::connect(&url, Duration::from_secs(2)).expect("a URL");
            store.topic_count().await.is_ok_and(|count| count > 2_000)
        };
        until_within(Duration::from_secs(60), "some counters are stored", stored).await;
        child.kill().expect("a running program");
        child.wait().expect("an exit status");
        let some = done(directory.path(), environment, &["export"], "").lines().count() as i64 - 2;
        assert!((1..=counters).contains(&some), "{some}");
        let again = done(directory.path(), environment, &import, "");
        assert_eq!(again, "20000 values for 20000 counters are added\n");
        assert!(done(directory.path(), environment, &["export"], "") == text);
    }
}

#[tokio::test]
async fn a_begun_import_is_refused_once_its_keys_may_be_forgotten() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("livecounter.db");
    let input = "{\"id\":\"a\",\"value\":5}\n";
    done(directory.path(), &[], &["import", "--add"], input);
    let change = |sql: &str| rusqlite::Connection::open(&path).and_then(|file| file.execute_batch(sql));
    change("UPDATE topic SET value = unixepoch() - 23 * 3600 - 60 WHERE name LIKE 'import-%'")
        .expect("a change");
    let refused = run(directory.path(), &[], &["import", "--add"], input.as_bytes());
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!((refused.status.code(), text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.contains("was begun on 20") && text.contains("not finished within 23 hours"), "{text}");
    // Within that time, the keys of its lines tell what is added.
    change("UPDATE topic SET value = unixepoch() - 22 * 3600 WHERE name LIKE 'import-%'").expect("a change");
    done(directory.path(), &[], &["import", "--add"], input);
    let expected = export_of_counters([("a".to_owned(), 5)].into_iter());
    assert_eq!(done(directory.path(), &[], &["export"], ""), expected);
}

#[tokio::test]
async fn sums_out_of_range_store_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path().join("livecounter.db")).expect("a new file");
    let topic = |name: &str| name.parse::<Topic>().expect("a topic");
    store.write(vec![Write::new(topic("counter-a"), Change::Set(9_007_199_254_740_000))]).await;
    drop(store);
    let before = done(directory.path(), &[], &["export"], "");
    let input = "{\"id\":\"b\",\"value\":1}\n{\"id\":\"a\",\"value\":900}\n{\"id\":\"a\",\"value\":92}\n";
    let refused = run(directory.path(), &[], &["import", "--add"], input.as_bytes());
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(
        text.contains("nothing is stored: line 2: the counter a has 9007199254740000, so its sum leaves"),
        "{text}"
    );
    assert_eq!(done(directory.path(), &[], &["export"], ""), before);
    done(directory.path(), &[], &["import", "--add"], &input.replace("92}", "91}"));
}

#[tokio::test]
async fn a_running_origin_streams_what_is_imported() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let store = RedisStore::connect(&url, Duration::from_secs(2)).expect("a URL");
    store.write(vec![Write::add(Topic::counter(&"2".parse().expect("an id")), 1, None)]).await;
    let proxy = Witness::start().await;
    let grip_url = proxy.grip_url();
    let environment = [("REDIS_URL", url.as_str()), ("GRIP_URL", grip_url.as_str())];
    let _origin = Program::start(directory.path(), &environment);
    let told = |channel: &str, data: &str| {
        let fits = |(_, to, content): &(_, String, String)| to.ends_with(channel) && content.contains(data);
        proxy.told().iter().any(fits)
    };
    for (mode, data) in [("--set", "data: 26\n"), ("--add", "data: 52\n")] {
        done(directory.path(), &environment, &["import", mode], "{\"id\":\"2\",\"value\":26}");
        until("the proxy gets the value", async || told("counter-2", data)).await;
    }
}

#[test]
fn a_redis_that_cannot_be_reached_is_said_in_one_line_with_status_1() {
    let directory = tempfile::tempdir().expect("a directory");
    let environment = redis_environment("redis://127.0.0.1:1/");
    for mode in ["--set", "--add"] {
        let failed = run(directory.path(), &environment, &["import", mode], b"{\"id\":\"a\",\"value\":1}");
        let text = String::from_utf8_lossy(&failed.stderr);
        assert_eq!((failed.status.code(), text.lines().count()), (Some(1), 1), "{text}");
        assert_eq!(
            text.matches("the store is unavailable: Connection refused (os error 111)").count(),
            1,
            "{text}"
        );
        assert_eq!(text.matches("Connection refused").count(), 1, "{text}");
    }
}

#[tokio::test]
async fn entities_are_exported_and_come_back_unchanged() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let redis = RedisServer::start();
    let url = redis.url();
    let environment = redis_environment(&url);
    let entity = |n: i64, text: &str| {
        let key = format!("\"route\":\"app/daily\",\"key\":\"{n:04}\"");
        format!("{{{key},\"payload\":{{\"+\\n\":\"{text}\",\"n\":{n},\"tags\":[1.5,null,{{}}]}}}}\n")
    };
    let refused = run(first.path(), &[], &["import", "--set"], entity(1, "x").as_bytes());
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let entity = |n: i64, text: &str| entity(n, text).replace("\"+\\n\"", "\" +\\n\"");
    let lines: String = (0..1_200).map(|n| entity(n, if n == 7 { "ä \\\"" } else { "x" })).collect();
    let long = entity(1_200, &"y".repeat(16_000));
    let input = format!(
        "{FIRST_LINE}{{\"id\":\"a\",\"value\":-5}}\n{lines}{long}{{\"end\":true,\"counters\":1202}}\n"
    );
    let told = done(first.path(), &[], &["import", "--set"], &input);
    assert_eq!(told, "1 counter and 1201 entities are set\n");
    let exported = done(first.path(), &[], &["export"], "");
    assert!(exported == input);
    for environment in [&environment[..], &[]] {
        done(second.path(), environment, &["import", "--set"], &exported);
        assert!(done(second.path(), environment, &["export"], "") == exported, "{environment:?}");
    }
    let added = run(second.path(), &[], &["import", "--add"], exported.as_bytes());
    let text = String::from_utf8_lossy(&added.stderr);
    assert!(!added.status.success() && text.contains("an entity cannot be added, only set"), "{text}");
}
