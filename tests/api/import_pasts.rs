//! The hours and days of counters, pages and sites in `livecounter export` and `livecounter import`.

use std::path::Path;

use serde_json::{Value, json};

use crate::history::until_value;
use crate::import::{comes_back_unchanged, done, export_of, redis_environment, run};
use crate::program::Program;
use crate::support::redis::RedisServer;
use crate::support::server::Server;

/// An hour of November 2026 at midnight UTC, which is over.
const HOUR: i64 = 498_600;

/// A line with a past of so many hours and half as many days, whose last value is `value`.
fn line(named: &str, value: i64, hours: i64) -> String {
    let first = if value % 2 == 0 { vec![[0, 0]] } else { Vec::new() };
    let points = |present: i64, count: i64| -> Vec<[i64; 2]> {
        first.iter().copied().chain((1 - count..=0).map(|n| [present + n, value + n])).collect()
    };
    let past = match hours {
        0 => String::new(),
        hours => {
            let points = [points(HOUR, hours), points(HOUR / 24, hours / 2)];
            format!(",\"hours\":{},\"days\":{}", json!(points[0]), json!(points[1]))
        }
    };
    format!("{{{named},\"value\":{value}{past}}}\n")
}

/// Counters, a page and a site; some have no past, and some fill all that is kept.
fn all_lines() -> Vec<String> {
    let mut lines: Vec<_> =
        (0..1_100).map(|n| line(&format!("\"id\":\"{n:04}\""), n + 100, [0, 2, 7][n as usize % 3])).collect();
    lines.push(line(&format!("\"id\":\"{}\"", "z".repeat(64)), -9_007_199_254_740_000, 48));
    lines.push(line("\"page\":\"example.com/a\"", 7, 9));
    lines.push(line("\"site\":\"example.com\"", 8, 9));
    lines
}

#[tokio::test]
async fn pasts_go_from_a_file_to_redis_and_back_unchanged() {
    let text = export_of(&all_lines());
    comes_back_unchanged(&text, |directory, environment| {
        let told = done(directory, environment, &["import", "--set"], &text);
        assert_eq!(told, "1101 counters, 1 page and 1 site are set\n");
    })
    .await;
}

#[test]
fn hours_or_days_alone_come_back_unchanged() {
    let [off, directory] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let servers = [(); 2].map(|()| RedisServer::start());
    let [from, to] = [servers[0].url(), servers[1].url()];
    let input = export_of(&all_lines()[..9]);
    for setting in ["LIVECOUNTER__HISTORY__HOURS", "LIVECOUNTER__HISTORY__DAYS"] {
        for (from, to) in [(&[][..], &[][..]), (&redis_environment(&from), &redis_environment(&to))] {
            let from = [from, &[(setting, "0")]].concat();
            done(off.path(), &from, &["import", "--set"], &input);
            let exported = done(off.path(), &from, &["export"], "");
            assert!(exported != input && exported.contains("[["), "{exported}");
            done(directory.path(), to, &["import", "--set"], &exported);
            assert_eq!(done(directory.path(), to, &["export"], ""), exported);
        }
        servers.iter().for_each(|server| drop(server.cli(&["FLUSHALL"])));
        for directory in [&off, &directory] {
            std::fs::remove_file(directory.path().join("livecounter.db")).expect("a file");
        }
    }
}

#[test]
fn an_addition_creates_counters_of_value_0_with_their_pasts() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let lines = [
        line("\"id\":\"a\"", 0, 4),
        line("\"id\":\"b\"", 0, 0),
        line("\"page\":\"example.com/a\"", 0, 6),
        line("\"site\":\"example.com\"", 0, 6),
    ];
    let input = export_of(&lines);
    for environment in [&[][..], &redis_environment(&url)] {
        let told = done(directory.path(), environment, &["import", "--add"], &input);
        assert_eq!(told, "4 values for 2 counters, 1 page and 1 site are added\n");
        assert_eq!(done(directory.path(), environment, &["export"], ""), input);
    }
}

/// The points of a counter in an export.
fn points(exported: &str, id: &str, unit: &str) -> Vec<[i64; 2]> {
    let begins = format!("{{\"id\":\"{id}\"");
    let line = exported.lines().find(|line| line.starts_with(&begins)).expect(exported);
    let line: Value = serde_json::from_str(line).expect("JSON");
    serde_json::from_value(line[unit].clone()).expect("points")
}

/// Lets an origin add to a counter, and waits until it is announced.
async fn add_and_announce(directory: &Path, environment: &[(&str, &str)], id: &str, amount: i64, after: i64) {
    let origin = Program::start(directory, environment);
    let past = origin.url(&format!("/counters/{id}/history?unit=day"));
    until_value(&past, after - amount).await;
    if amount != 0 {
        assert_eq!(origin.add_by(id, amount).await, after);
    }
    until_value(&past, after).await;
    origin.signal("-TERM");
    origin.exit_code();
}

#[tokio::test]
async fn an_origin_goes_on_from_an_imported_past() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let input = export_of(&[line("\"id\":\"a\"", 26, 3), line("\"id\":\"b\"", 11, 5)]);
    for environment in [&[][..], &redis_environment(&url)] {
        done(directory.path(), environment, &["import", "--set"], &input);
        add_and_announce(directory.path(), environment, "a", 2, 28).await;
        // The announcement of the other counter, whose value has not changed, adds nothing to an export.
        add_and_announce(directory.path(), environment, "b", 0, 11).await;
        let exported = done(directory.path(), environment, &["export"], "");
        for unit in ["hours", "days"] {
            assert_eq!(points(&exported, "b", unit), points(&input, "b", unit), "{exported}");
            let (last, before) = (points(&exported, "a", unit), points(&input, "a", unit));
            let (last, rest) = last.split_last().expect("points");
            assert_eq!((rest, last[1]), (&before[..], 28), "{exported}");
        }
        // What the origin has added is not in the input, so it goes with the value.
        done(directory.path(), environment, &["import", "--set"], &input);
        let again = done(directory.path(), environment, &["export"], "");
        assert_eq!(points(&again, "b", "hours"), points(&input, "b", "hours"));
    }
}

#[tokio::test]
async fn an_addition_brings_the_past_of_a_counter_that_has_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let of = |id: &str, value| line(&format!("\"id\":\"{id}\""), value, 4);
    for environment in [&[][..], &redis_environment(&url)] {
        let first = [of("a", 12), of("b", 26)];
        let told = done(directory.path(), environment, &["import", "--add"], &first.concat());
        assert_eq!(told, "2 values for 2 counters are added\n");
        assert_eq!(done(directory.path(), environment, &["export"], ""), export_of(&first));
        add_and_announce(directory.path(), environment, "a", 1, 13).await;
        let told =
            done(directory.path(), environment, &["import", "--add"], &[of("a", 7), of("c", 5)].concat());
        let left_out = "the hours and days of 1 line are left out, as its counter has a past here, or this service keeps none of them";
        assert_eq!(told, format!("2 values for 2 counters are added; {left_out}\n"));
        let exported = done(directory.path(), environment, &["export"], "");
        assert!(exported.contains("{\"id\":\"a\",\"value\":20,"), "{exported}");
        assert_eq!(points(&exported, "a", "hours")[..5], points(&first[0], "a", "hours")[..5]);
        assert!(exported.contains(&of("c", 5)), "{exported}");
    }
}

#[test]
fn an_addition_of_two_lines_has_no_past() {
    let directory = tempfile::tempdir().expect("a directory");
    let (with_past, without) = (line("\"id\":\"a\"", 4, 4), line("\"id\":\"a\"", 4, 0));
    for input in [with_past.clone() + &without, without + &with_past, with_past.clone() + &with_past] {
        let output = run(directory.path(), &[], &["import", "--add"], input.as_bytes());
        let text = String::from_utf8_lossy(&output.stderr);
        let expected = "line 2: the counter a has hours or days, and stands in another line, too";
        assert!(output.status.code() == Some(1) && text.contains(expected), "{text}");
        assert_eq!(std::fs::read_dir(directory.path()).expect("the directory").count(), 0);
    }
}

#[test]
fn a_service_that_keeps_no_past_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let input = line("\"id\":\"a\"", 26, 4);
    for store in [&[][..], &redis_environment(&url)] {
        let off = [("LIVECOUNTER__HISTORY__HOURS", "0"), ("LIVECOUNTER__HISTORY__DAYS", "0")];
        let environment = [store, &off].concat();
        let told = done(directory.path(), &environment, &["import", "--set"], &input);
        let left_out = "the hours and days of 1 line are left out, as this service keeps none of them";
        assert_eq!(told, format!("1 counter is set; {left_out}\n"));
        let exported = done(directory.path(), &environment, &["export"], "");
        assert!(exported.contains("{\"id\":\"a\",\"value\":26}\n"), "{exported}");
        // The days alone.
        let days = [store, &off[..1]].concat();
        done(directory.path(), &days, &["import", "--set"], &input);
        let exported = done(directory.path(), &days, &["export"], "");
        assert!(!exported.contains("hours"), "{exported}");
        assert_eq!(points(&exported, "a", "days"), points(&input, "a", "days"));
    }
}

#[test]
fn wrong_pasts_are_named_and_nothing_is_stored() {
    let directory = tempfile::tempdir().expect("a directory");
    let form = "must be pairs of whole numbers";
    let many = json!((0..126).map(|n| [n, n]).collect::<Vec<_>>()).to_string();
    let long = format!("[[1,1]],\"value\":1{}", " ".repeat(17_000));
    for (past, mode, expected) in [
        ("\"hours\":[[5,1],[5,2]]", "--set", "line 2: hour 5 must be later than the hour before it"),
        ("\"days\":[[5,1],[4,2]]", "--add", "line 2: day 4 must be later"),
        ("\"days\":{\"5\":1}", "--set", "line 2: days must be pairs of whole numbers"),
        ("\"hours\":\"=1+1\"", "--set", form),
        ("\"hours\":[[5,\"1\"]]", "--set", form),
        ("\"hours\":[[5,1.5]]", "--set", form),
        (
            "\"hours\":[[5,9007199254740992]]",
            "--set",
            "line 2: the value of hour 5 must be within ±9007199254740991",
        ),
        ("\"hours\":[[-1,1]]", "--set", "line 2: hour -1 is not between 1970 and the year 9999"),
        (&format!("\"hours\":{many}"), "--set", "line 2: has 126 hours; a line has at most 125"),
        (&format!("\"hours\":{long}"), "--set", "a line has at most 16384"),
    ] {
        let line = format!("{{\"id\":\"a\",\"value\":1}}\n{{\"id\":\"b\",\"value\":1,{past}}}");
        let output = run(directory.path(), &[], &["import", mode], line.as_bytes());
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && text.contains(expected), "{past}: {text}");
        assert_eq!(std::fs::read_dir(directory.path()).expect("the directory").count(), 0, "{past}");
    }
}
