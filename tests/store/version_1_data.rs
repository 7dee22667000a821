//! What the program of version 1, that of commit 0856692, has written itself: a database file and a dump of Redis. When the program
//! ended, it had not announced the last change of one counter and the first one of another.

use std::time::Duration;

use livecounter::domain::{Topic, Unit};
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::SqliteStore;
use livecounter::store::{Change, Claim, ClaimTerms, LONGEST_LEASE, Store, Write};

use crate::contract::eventually;
use crate::support::redis::RedisServer;

const FILE: &[u8] = include_bytes!("version_1/livecounter.db");
const DUMP: &[u8] = include_bytes!("version_1/dump.rdb");
const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };

/// All topics with their values, in the order of their names.
const WRITTEN: [(&str, i64); 5] = [
    ("counter-1", 27),
    ("counter-a.b_c~d-e", 1),
    ("counter-great", 9_007_199_254_740_991),
    ("counter-late", 3),
    ("counter-minus", -5),
];
/// Those whose last change is still to be announced.
const PENDING: [&str; 2] = ["counter-1", "counter-late"];

fn topic(name: &str) -> Topic {
    name.parse().expect("a topic")
}

async fn listed(store: &dyn Store) -> Vec<(String, i64)> {
    let listed = store.list("", None, 99).await.expect("a list");
    listed.into_iter().map(|(topic, reading)| (topic.name().to_owned(), reading.value())).collect()
}

/// Announces the topic; returns the value and the revision published before it.
async fn announced(store: &dyn Store, topic: &Topic) -> (i64, u64) {
    let Claim::Announce(claimed) =
        store.claim(vec![topic.clone()], TERMS).await.remove(0).expect("the store to answer")
    else {
        panic!("nothing of {} to announce", topic.name())
    };
    store.acknowledge(vec![(topic.clone(), claimed.id)]).await.expect("acknowledged");
    (claimed.value(), claimed.prev.revision)
}

/// `before` is the revision on which the repeated announcement of the first counter follows.
async fn everything_goes_on(store: &dyn Store, before: u64) {
    assert_eq!(listed(store).await, WRITTEN.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(store.topic_count().await.expect("a number"), 5);
    assert_eq!(store.outbox_len().await.expect("a number"), 2);
    let mut pending = eventually("the changes that are not announced", async || {
        let overdue = store.overdue(99, Duration::ZERO).await.expect("topics");
        (overdue.len() == 2).then_some(overdue)
    })
    .await;
    pending.sort_by(|one, other| one.name().cmp(other.name()));
    assert_eq!(pending.iter().map(Topic::name).collect::<Vec<_>>(), PENDING);
    assert_eq!(announced(store, &pending[0]).await, (27, before));
    assert_eq!(announced(store, &pending[1]).await.0, 3);
    assert_eq!(store.outbox_len().await.expect("a number"), 0);

    let written =
        store.write(vec![Write::add(pending[0].clone(), 1, None)]).await.remove(0).expect("counted");
    assert_eq!((written.value, written.created), (28, false));
    assert_eq!(announced(store, &pending[0]).await, (28, 27));
    let history = store.history(&pending[0], Unit::Hour, u16::MAX).await.expect("a history");
    let values: Vec<i64> = history.points.iter().map(|point| point.value).collect();
    assert_eq!(values, [28], "what it stood at in the hours before is not known");
    let deletion = Write::new(topic("counter-minus"), Change::Delete);
    assert!(store.write(vec![deletion]).await.remove(0).expect("deleted").removed);
    assert_eq!(listed(store).await.len(), 4);
}

#[tokio::test]
async fn a_file_that_version_1_has_written_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("livecounter.db");
    std::fs::write(&path, FILE).expect("a file");
    // The claim is repeated as it was.
    everything_goes_on(&SqliteStore::open(&path).expect("a file of this version"), 26).await;
}

#[tokio::test]
async fn a_redis_that_version_1_has_written_goes_on() {
    let mut server = RedisServer::stopped();
    std::fs::write(server.directory().join("dump.rdb"), DUMP).expect("a dump");
    server.run();
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a store");
    assert_eq!(store.migrate().await.expect("a migration"), 5);
    // Another Redis than the one in which the claim was made begins a new epoch, behind all that was claimed.
    everything_goes_on(&store, 27).await;
}
