//! The lives of entities in `livecounter export` and `livecounter import`.

use crate::import::{comes_back_unchanged, done, export_of, redis_environment, run};
use crate::support::redis::RedisServer;

/// The end of a life in the year 2286.
const LATER: u64 = 9_999_999_999_999;

/// An export of entities, every third of which lives on.
fn export_of_entities(entities: u64) -> String {
    let line = |n: u64| {
        let ends = if n.is_multiple_of(3) { String::new() } else { format!(",\"ends\":{}", LATER - n) };
        format!("{{\"route\":\"app/session\",\"key\":\"{n:04}\",\"payload\":{{\"n\":{n}}}{ends}}}\n")
    };
    export_of(&(0..entities).map(line).collect::<Vec<_>>())
}

#[tokio::test]
async fn lives_of_entities_go_from_a_file_to_redis_and_back_unchanged() {
    comes_back_unchanged(&export_of_entities(1_100), |_, _| ()).await;
}

#[test]
fn an_entity_whose_life_is_over_is_left_out_and_counted() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let line = |key, ends| {
        format!("{{\"route\":\"a\",\"key\":\"{key}\",\"payload\":{{\"n\":1}},\"ends\":{ends}}}\n")
    };
    let input = line("over", 1_000) + &line("lives", LATER);
    for environment in [&[][..], &redis_environment(&url)] {
        let told = done(directory.path(), environment, &["import", "--set"], &input);
        let expected = "1 entity is set; 1 entity is left out, as its life is over\n";
        assert_eq!(told, expected);
        let exported = done(directory.path(), environment, &["export"], "");
        assert!(exported.contains(&line("lives", LATER)) && !exported.contains("over"), "{exported}");
    }
}

#[test]
fn an_import_without_an_end_leaves_that_of_the_entity() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = RedisServer::start();
    let url = redis.url();
    let line = |ends| format!("{{\"route\":\"a\",\"key\":\"b\",\"payload\":{{\"n\":1}}{ends}}}\n");
    let with_end = line(format!(",\"ends\":{LATER}"));
    for environment in [&[][..], &redis_environment(&url)] {
        done(directory.path(), environment, &["import", "--set"], &with_end);
        done(directory.path(), environment, &["import", "--set"], &line(String::new()));
        let exported = done(directory.path(), environment, &["export"], "");
        assert!(exported.contains(&with_end), "{exported}");
    }
}

#[test]
fn wrong_ends_of_lives_are_named_and_nothing_is_stored() {
    let directory = tempfile::tempdir().expect("a directory");
    for ends in ["-1", "1.5", "\"2026-01-01\"", "1e30", "253402207200001", "[1]"] {
        let line = format!("{{\"route\":\"a\",\"key\":\"b\",\"payload\":{{}},\"ends\":{ends}}}");
        let output = run(directory.path(), &[], &["import", "--set"], line.as_bytes());
        let text = String::from_utf8_lossy(&output.stderr);
        let expected = "line 1: ends must be a time in milliseconds since 1970, in plain digits";
        assert!(output.status.code() == Some(1) && text.contains(expected), "{ends}: {text}");
        assert_eq!(std::fs::read_dir(directory.path()).expect("the directory").count(), 0, "{ends}");
    }
}
