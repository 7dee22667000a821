//! `livecounter prune`, as an operator calls it.

use std::path::Path;
use std::process::Output;

use livecounter::domain::Topic;
use livecounter::store::sqlite::SqliteStore;
use livecounter::store::{Claim, ClaimTerms, Outbox, Values, Write};
use rusqlite::Connection;

use crate::program::{Program, program};
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::wait::until;
use crate::witness::Witness;

/// 1 March 2026, 0:00:00.001 UTC, in milliseconds since 1970.
const MARCH: u64 = 1_772_323_200_001;

fn prune(directory: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = program(directory);
    let command = command.arg("prune").args(arguments).envs(environment.iter().copied());
    command.output().expect("the program to run")
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
    (output.status.code(), text.trim_end().to_owned())
}

/// A new file with the counters `old`, which was last claimed in March, and `young`.
async fn file_with_an_old_topic(path: &Path) {
    let topics = ["counter-old", "counter-young"].map(|name| name.parse::<Topic>().expect("a topic"));
    let store = SqliteStore::open(path).expect("a new file");
    store.write(topics.iter().map(|topic| Write::add(topic.clone(), 1, None)).collect()).await;
    let terms = ClaimTerms { interval: std::time::Duration::ZERO, lease: std::time::Duration::from_secs(6) };
    for topic in &topics {
        let claim = store.claim(vec![topic.clone()], terms).await.remove(0);
        let Ok(Claim::Announce(announced)) = claim else { panic!("{claim:?}") };
        store.acknowledge(vec![(topic.clone(), announced.id)]).await.expect("acknowledged");
    }
    drop(store);
    let change = format!("UPDATE topic SET claimed = {MARCH} WHERE name = 'counter-old'");
    Connection::open(path).and_then(|file| file.execute_batch(&change)).expect("a change from outside");
}

#[tokio::test]
async fn a_file_is_pruned_when_no_process_has_it_open() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("livecounter.db");
    file_with_an_old_topic(&path).await;
    let origin = Program::start(directory.path(), &[]);
    let (status, text) = said(&prune(directory.path(), &[], &["--before", "2026-03-02"]));
    assert!(status == Some(2) && text.contains("in use by another process"), "{text}");
    drop(origin);
    let calls = [
        (
            &["--before", "2026-03-01", "--yes"][..],
            "0 of 2 topics had not changed since 2026-03-01, 0:00 UTC, and are removed",
        ),
        (
            &["--before", "2026-03-02"],
            "1 of 2 topics have not changed since 2026-03-02, 0:00 UTC; --yes removes them",
        ),
        (
            &["--before", "2026-03-02", "--yes"],
            "1 of 2 topics had not changed since 2026-03-02, 0:00 UTC, and are removed",
        ),
        (
            &["--before", "2026-03-02", "--yes"],
            "0 of 1 topics had not changed since 2026-03-02, 0:00 UTC, and are removed",
        ),
    ];
    for (arguments, expected) in calls {
        assert_eq!(
            said(&prune(directory.path(), &[], arguments)),
            (Some(0), expected.to_owned()),
            "{arguments:?}"
        );
    }
}

#[tokio::test]
async fn redis_is_pruned_beside_a_running_origin() {
    let directory = tempfile::tempdir().expect("a directory");
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let (url, grip) = (redis.url(), proxy.grip_url());
    let environment = [("REDIS_URL", url.as_str()), ("GRIP_URL", grip.as_str())];
    let origin = Program::start(directory.path(), &environment);
    for id in ["old", "young"] {
        origin.add(id).await;
    }
    let hash = redis.cli(&["--scan", "--pattern", "*:t:counter-old"]);
    until("it to be acknowledged", async || redis.cli(&["HGET", &hash, "a"]) == "1").await;
    redis.cli(&["HSET", &hash, "s", &MARCH.to_string()]);
    let removed = said(&prune(directory.path(), &environment, &["--before", "2026-03-02", "--yes"]));
    assert_eq!(
        removed,
        (Some(0), "1 of 2 topics had not changed since 2026-03-02, 0:00 UTC, and are removed".into())
    );
    assert_eq!((origin.read("old").await, origin.read("young").await), (0, 1));
    // The counter begins at 0 in a new epoch, and its listeners are told.
    origin.add("old").await;
    let told = async || proxy.told().iter().filter(|(_, channel, _)| channel == "counter-old").count() == 2;
    until("the new beginning to be announced", told).await;
    let ids: Vec<String> = proxy
        .told()
        .into_iter()
        .filter(|(_, channel, _)| channel == "counter-old")
        .map(|(.., it)| it)
        .collect();
    assert!(ids.iter().all(|content| content.contains("data: 1\n")) && ids[0] != ids[1], "{ids:?}");
}

#[test]
fn an_invalid_day_and_a_missing_file_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    for (arguments, expected) in [
        (&["--before", "yesterday"][..], "livecounter: --before: must be a day, such as 2026-01-31"),
        (&["--before", "9999-01-01"], "livecounter: --before: must not lie ahead"),
        (&[], "livecounter: prune needs --before DATE. See livecounter --help"),
    ] {
        assert_eq!(said(&prune(directory.path(), &[], arguments)), (Some(2), expected.to_owned()));
    }
    let (status, text) = said(&prune(directory.path(), &[], &["--before", "2026-01-31"]));
    let file = directory.path().join("livecounter.db");
    let expected =
        format!("livecounter: sqlite.path: there is no file {}: run the command in", file.display());
    assert!(status == Some(2) && text.starts_with(&expected), "{text}");
    assert!(std::fs::read_dir(directory.path()).expect("the directory").next().is_none());
}
