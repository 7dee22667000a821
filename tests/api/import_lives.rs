//! The lives of entities in `livecounter export` and `livecounter import`.

use crate::import::{done, redis_environment, run};
use crate::support::redis::RedisServer;
use crate::support::redis_cluster::RedisCluster;

/// The end of a life in the year 2286.
const LATER: u64 = 9_999_999_999_999;

/// An export of entities, every third of which lives on.
fn export_of_entities(entities: u64) -> String {
    let line = |n: u64| {
        let ends = if n.is_multiple_of(3) { String::new() } else { format!(",\"ends\":{}", LATER - n) };
        format!("{{\"route\":\"app/session\",\"key\":\"{n:04}\",\"payload\":{{\"n\":{n}}}{ends}}}\n")
    };
    let lines: String = (0..entities).map(line).collect();
    let first = "{\"format\":\"livecounter\",\"version\":1}\n";
    format!("{first}{lines}{{\"end\":true,\"counters\":{entities}}}\n")
}

#[tokio::test]
async fn lives_of_entities_go_from_a_file_to_redis_and_back_unchanged() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let (redis, cluster) = (RedisServer::start(), RedisCluster::start(3, 0, &[]).await);
    let (url, cluster) = (redis.url(), cluster.url());
    let text = export_of_entities(1_100);
    done(first.path(), &[], &["import", "--set"], &text);
    let exported = done(first.path(), &[], &["export"], "");
    assert!(exported == text, "{exported}");
    for (directory, environment) in [
        (&first, &redis_environment(&url)[..]),
        (&second, &[]),
        (&second, &redis_environment(&cluster)),
        (&first, &[]),
    ] {
        for _ in 0..2 {
            done(directory.path(), environment, &["import", "--set"], &exported);
            assert!(done(directory.path(), environment, &["export"], "") == text, "{environment:?}");
        }
    }
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
        let expected = "1 counters and entities are set; 1 entities are left out, as their lives are over\n";
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
