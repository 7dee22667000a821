//! The events of feeds in `livecounter export` and `livecounter import`.

use std::time::{SystemTime, UNIX_EPOCH};

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::SqliteStore;
use livecounter::store::{Change, Values, Write};
use serde_json::Value;

use crate::import::{comes_back_unchanged, done, export_of, redis_environment, run};
use crate::program::Program;
use crate::support::http::{Ask, client};
use crate::support::redis::RedisServer;
use crate::support::wait::until;

/// The time of the first event: an hour ago, so that it is not too old for readers.
fn first_time() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    u64::try_from(now.as_millis()).expect("a time before the year 9999") - 3_600_000
}

/// Lines of events of a feed, three in each millisecond, of which two are equal.
fn events(route: &str, first: u64, count: u64) -> Vec<String> {
    let data = |n: u64| {
        let (same, text) = (n / 3 * 3, if n == 7 { "ä \\\"\\n" } else { "x" });
        if n.is_multiple_of(3) { "null".to_owned() } else { format!("{{\"{text}\":[{same},1.5,null]}}") }
    };
    let line = |n| format!("{{\"route\":\"{route}\",\"at\":{},\"event\":{}}}\n", first + n / 3, data(n));
    (0..count).map(line).collect()
}

#[tokio::test]
async fn events_go_from_a_file_to_redis_and_back_unchanged() {
    let first_time = first_time();
    let long = format!("{{\"route\":\"z\",\"at\":{first_time},\"event\":\"{}\"}}\n", "y".repeat(16_000));
    let all = [events("app/daily", first_time, 4), events("app/log", first_time, 900), vec![long]].concat();
    let text = export_of(&all);
    // Each store has the events by then, so a repetition changes nothing.
    comes_back_unchanged(&text, |directory, environment| {
        for mode in ["--set", "--add"] {
            let told = done(directory, environment, &["import", mode], &text);
            let nothing =
                "0 events are appended; 905 events are left out, as their feeds have them or later ones\n";
            assert_eq!(told, nothing);
        }
        assert!(done(directory, environment, &["export"], "") == text, "{environment:?}");
        let only_counters = done(directory, environment, &["export", "--prefix", "a"], "");
        assert_eq!(only_counters.lines().count(), 2, "{only_counters}");
    })
    .await;
    let directory = tempfile::tempdir().expect("a directory");
    assert_eq!(done(directory.path(), &[], &["import", "--add"], &text), "905 events are appended\n");
    assert!(done(directory.path(), &[], &["export"], "") == text);
}

#[tokio::test]
async fn an_import_of_events_that_ended_early_is_finished() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let lines = events("app/log", first_time(), 601);
    for environment in [&[][..], &redis_environment(&url)] {
        // It ended within a millisecond, behind the first of two equal events.
        for some in [200, 500, 601] {
            done(directory.path(), environment, &["import", "--add"], &lines[..some].concat());
            let exported = done(directory.path(), environment, &["export"], "");
            assert!(exported == export_of(&lines[..some]), "{some} {environment:?}");
        }
    }
}

#[tokio::test]
async fn imported_events_stay_behind_later_ones_and_may_come_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let feed = Topic::feed(&"app/log".parse().expect("a route"));
    let first_time = first_time();
    let lines = events("app/log", first_time, 6);
    let input = export_of(&lines);
    for environment in [&[][..], &redis_environment(&url)] {
        let write = async |change| {
            let write = Write::new(feed.clone(), change);
            let written = match environment.is_empty() {
                true => {
                    let path = directory.path().join("livecounter.db");
                    SqliteStore::open(path).expect("a file").write(vec![write]).await
                }
                false => {
                    let store = RedisStore::connect(&url, std::time::Duration::from_secs(10));
                    store.expect("a URL").write(vec![write]).await
                }
            };
            assert!(written[0].is_ok(), "{written:?}");
        };
        write(Change::Append([livecounter::domain::JsonText::null()].into())).await;
        let told = done(directory.path(), environment, &["import", "--set"], &input);
        assert!(told.starts_with("0 events are appended; 6 events are left out"), "{told}");
        write(Change::Delete).await;
        assert_eq!(done(directory.path(), environment, &["export"], ""), export_of(&[]));
        done(directory.path(), environment, &["import", "--set"], &input);
        assert_eq!(done(directory.path(), environment, &["export"], ""), input);
        // An event of today comes behind those that were imported, and a repetition leaves it there.
        write(Change::Append([livecounter::domain::JsonText::null()].into())).await;
        done(directory.path(), environment, &["import", "--set"], &input);
        let exported = done(directory.path(), environment, &["export"], "");
        let exported: Vec<&str> = exported.lines().collect();
        assert_eq!((exported.len(), exported[6]), (9, lines[5].trim_end()), "{exported:?}");
    }
}

#[tokio::test]
async fn origins_announce_imported_events_with_their_times() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let environment = redis_environment(&url);
    let origin = Program::start(directory.path(), &environment);
    let lines = events("app/log", first_time(), 90);
    done(directory.path(), &environment, &["import", "--set"], &lines.concat());
    let page = async || -> Value {
        let url = origin.url("/feed/app/log?limit=100");
        client().get(&url).answer().await.json().await.expect("JSON")
    };
    until("the events are announced", async || {
        page().await["events"].as_array().is_some_and(|events| events.len() == 90)
    })
    .await;
    let events = page().await["events"].clone();
    for (line, event) in lines.iter().zip(events.as_array().expect("events")) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let at: jiff::Timestamp = event["created_at"].as_str().expect("a time").parse().expect("a time");
        assert_eq!((&line["event"], line["at"].as_i64()), (&event["payload"], Some(at.as_millisecond())));
    }
}

#[test]
fn wrong_lines_of_events_are_named_and_nothing_is_stored() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = "{\"route\":\"a\",\"at\":1,\"event\":1}\n";
    let long = format!("{{\"route\":\"b\",\"at\":1,\"event\":\"{}\"}}", "x".repeat(20_000));
    let at = "line 2: at must be a time in milliseconds since 1970, in plain digits";
    for (line, expected) in [
        ("{\"route\":\"b\",\"at\":-1,\"event\":1}", at),
        ("{\"route\":\"b\",\"at\":\"2026-01-01\",\"event\":1}", at),
        ("{\"route\":\"b\",\"at\":1e30,\"event\":1}", at),
        ("{\"route\":\"b\",\"at\":1}", "line 2: has no event"),
        ("{\"route\":\"b c\",\"at\":1,\"event\":1}", "line 2: "),
        ("{\"route\":\"b\",\"at\":1,\"event\":1,\"value\":2}", "line 2: an event of a feed has a route, "),
        ("{\"route\":\"b\",\"at\":1,\"event\":{\"a\":1,\"a\":2}}", "line 2: "),
        ("{\"route\":\"b\",\"at\":1,\"event\":1e400}", "line 2: "),
        (
            "{\"route\":\"b\",\"at\":1,\"event\":1}\n{\"route\":\"a\",\"at\":1,\"event\":1}",
            "line 3: stands apart from the other events of its feed",
        ),
        (&long, "line 2: the event has 20002 bytes; an event has at most 16384"),
    ] {
        for words in [&["import", "--set"][..], &["import", "--add"], &["import", "--set", "--dry-run"]] {
            let output = run(directory.path(), &[], words, format!("{good}{line}").as_bytes());
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code() == Some(1) && text.contains(expected), "{line}: {text}");
            let left = std::fs::read_dir(directory.path()).expect("the directory").count();
            assert_eq!(left, 0, "{line}: something is left behind");
        }
    }
    let told = done(directory.path(), &[], &["import", "--set", "--dry-run"], good);
    assert_eq!(told, "1 event would be appended\n");
}
