//! Pruning removes topics that have not changed for a time, and none that has still to be announced.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::{self, OpenError, SqliteStore};
use livecounter::store::{
    Catalog, Claim, ClaimTerms, LONGEST_LEASE, Outbox, Pruned, Reading, Store, Values, Write,
};
use rusqlite::Connection;

use crate::contract::eventually;
use crate::sqlite::opened_again;
use crate::support::redis::RedisServer;
use crate::support::redis_cluster::RedisCluster;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };
const NAMES: [&str; 4] = ["counter-old", "counter-young", "counter-unclaimed", "counter-unacknowledged"];

pub(crate) fn topic(name: &str) -> Topic {
    name.parse().expect("a topic")
}

pub(crate) fn millis_ago(ms: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    now.as_millis() as u64 - ms
}

pub(crate) const HOUR: u64 = 3_600_000;

pub(crate) async fn announce(store: &dyn Store, name: &str) {
    let claim = store.claim(vec![topic(name)], TERMS).await.remove(0).expect("the store to answer");
    let Claim::Announce(announced) = claim else { panic!("{name}: {claim:?}") };
    store.acknowledge(vec![(topic(name), announced.id)]).await.expect("acknowledged");
}

/// Creates four topics, each in another state.
pub(crate) async fn fill(store: &dyn Store) {
    let adds = NAMES.map(|name| Write::add(topic(name), 5, Some("k".parse().expect("a key"))));
    assert!(store.write(adds.to_vec()).await.iter().all(Result::is_ok));
    announce(store, "counter-old").await;
    announce(store, "counter-young").await;
    let claim = store.claim(vec![topic("counter-unacknowledged")], TERMS).await.remove(0);
    assert!(matches!(claim, Ok(Claim::Announce(_))));
}

/// Asserts which topics are left, and that they have not changed.
async fn assert_only_old_is_gone(store: &dyn Store) {
    let readings = store.read(NAMES.map(topic).to_vec()).await;
    let values: Vec<_> =
        readings.iter().map(|reading| reading.as_ref().expect("a reading").value()).collect();
    assert_eq!(values, [0, 5, 5, 5]);
    assert_eq!(*readings[0].as_ref().expect("a reading"), Reading::default());
    assert_eq!(store.topic_count().await.expect("a number"), 3);
    assert_eq!(store.outbox_len().await.expect("a number"), 2);
    let again = store.write(vec![Write::add(topic("counter-old"), 1, None)]).await.remove(0);
    assert!(again.is_ok_and(|added| added.value == 1 && added.created), "it begins anew");
}

/// Sets the last claim of all topics but one to two hours ago.
pub(crate) fn age(server: &RedisServer) {
    for name in NAMES.iter().filter(|name| **name != "counter-young") {
        let hash = format!("lc:{{b{}}}:t:{name}", topic(name).bucket());
        server.cli(&["HSET", &hash, "s", &millis_ago(2 * HOUR).to_string()]);
    }
}

#[tokio::test]
async fn redis_loses_only_old_announced_topics() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a good address");
    fill(&store).await;
    age(&server);
    let found = Pruned { seen: 4, old: 1 };
    assert_eq!(store.prune(millis_ago(HOUR), false, |_| ()).await.expect("a count"), found);
    assert_eq!(store.topic_count().await.expect("a number"), 4, "it was only counted");
    let mut told = Vec::new();
    assert_eq!(
        store.prune(millis_ago(HOUR), true, |so_far| told.push(so_far)).await.expect("removed"),
        found
    );
    assert_eq!(told.last(), Some(&found));
    let left = server.cli(&["--scan", "--pattern", "*counter-old*"]);
    assert!(
        left.contains(":i:") && left.lines().count() == 1,
        "only the idempotency key, which expires: {left}"
    );
    assert_only_old_is_gone(&store).await;
    assert_eq!(
        store.prune(millis_ago(HOUR), true, |_| ()).await.expect("removed"),
        Pruned { seen: 4, old: 0 }
    );
}

const PAGES: [(&str, &str); 2] = [("page-old", "example.com/old"), ("page-young", "example.com/young")];

/// Creates two pages with their addresses. The caller makes one of them old.
async fn fill_pages(store: &dyn Store) {
    for (page, address) in PAGES {
        assert!(store.write(vec![Write::add(topic(page), 1, None)]).await[0].is_ok());
        store.keep_address(&topic(page), address).await.expect("kept");
        announce(store, page).await;
    }
}

/// Asserts that only the page that is left has an address.
async fn assert_only_young_has_an_address(store: &dyn Store) {
    let addresses = store.addresses(&PAGES.map(|(page, _)| topic(page))).await.expect("addresses");
    assert_eq!(addresses, [None, Some("example.com/young".to_owned())]);
}

#[tokio::test]
async fn the_address_of_a_page_is_pruned_with_it_in_redis() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a good address");
    fill_pages(&store).await;
    let hash = format!("lc:{{b{}}}:t:page-old", topic("page-old").bucket());
    server.cli(&["HSET", &hash, "s", &millis_ago(2 * HOUR).to_string()]);
    let pruned = store.prune(millis_ago(HOUR), true, |_| ()).await.expect("removed");
    assert_eq!(pruned, Pruned { seen: 2, old: 1 });
    assert_only_young_has_an_address(&store).await;
}

#[tokio::test]
async fn the_address_of_a_page_is_pruned_with_it_in_a_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("livecounter.db");
    let store = SqliteStore::open(&path).expect("a new file");
    fill_pages(&store).await;
    drop(store);
    let sql = format!("UPDATE topic SET claimed = {} WHERE name = 'page-old'", millis_ago(2 * HOUR));
    Connection::open(&path).and_then(|file| file.execute_batch(&sql)).expect("a change from outside");
    let prune = async || sqlite::prune(&path, millis_ago(HOUR), true, |_| ()).ok();
    assert_eq!(eventually("the file to be free", prune).await, Pruned { seen: 2, old: 1 });
    assert_only_young_has_an_address(&opened_again(&path)).await;
}

#[tokio::test]
async fn redis_keeps_topics_that_change_during_a_pruning() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a good address");
    let topics: Vec<Topic> = (0..2000).map(|n| topic(&format!("counter-{n}"))).collect();
    let adds = || topics.iter().map(|topic| Write::add(topic.clone(), 1, None)).collect::<Vec<_>>();
    store.write(adds()).await;
    for (topic, claim) in topics.iter().zip(store.claim(topics.clone(), TERMS).await) {
        let Ok(Claim::Announce(announced)) = claim else { panic!("{claim:?}") };
        store.acknowledge(vec![(topic.clone(), announced.id)]).await.expect("acknowledged");
    }
    let mut values = vec![1; topics.len()];
    // All topics are old. While pruning removes them, clients add to each of them, and no addition may be lost.
    let prune = store.prune(millis_ago(0) + 1000, true, |_| ());
    let add = async {
        for _ in 0..10 {
            for (value, added) in values.iter_mut().zip(store.write(adds()).await) {
                let added = added.expect("counted");
                *value = if added.created { 1 } else { *value + 1 };
                assert_eq!(added.value, *value);
            }
        }
    };
    let (pruned, ()) = tokio::join!(prune, add);
    pruned.expect("removed");
    assert_eq!(store.topic_count().await.expect("a number"), 2000);
}

#[tokio::test]
async fn a_cluster_is_pruned_on_all_its_nodes() {
    let cluster = RedisCluster::start(3, 0, &[]).await;
    let store = RedisStore::connect(&cluster.url(), Duration::from_secs(2)).expect("a good address");
    let names: Vec<String> = (0..60).map(|n| format!("counter-{n}")).collect();
    store.write(names.iter().map(|name| Write::add(topic(name), 1, None)).collect()).await;
    for name in &names {
        announce(&store, name).await;
    }
    assert_eq!(store.prune(millis_ago(HOUR), true, |_| ()).await.expect("none"), Pruned { seen: 60, old: 0 });
    let all = Pruned { seen: 60, old: 60 };
    assert_eq!(store.prune(millis_ago(0) + 1000, true, |_| ()).await.expect("removed"), all);
    assert_eq!(store.topic_count().await.expect("a number"), 0);
}

#[tokio::test]
async fn a_file_loses_only_old_announced_topics() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("livecounter.db");
    let store = SqliteStore::open(&path).expect("a new file");
    fill(&store).await;
    let error = sqlite::prune(&path, millis_ago(HOUR), true, |_| ()).expect_err("in use");
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(store);
    let sql = format!("UPDATE topic SET claimed = {} WHERE name <> 'counter-young'", millis_ago(2 * HOUR));
    Connection::open(&path).and_then(|file| file.execute_batch(&sql)).expect("a change from outside");
    // A process that another test starts inherits the lock's handle until its own program runs.
    for remove in [false, true] {
        let prune = async || sqlite::prune(&path, millis_ago(HOUR), remove, |_| ()).ok();
        assert_eq!(eventually("the file to be free", prune).await, Pruned { seen: 4, old: 1 });
    }
    assert_only_old_is_gone(&opened_again(&path)).await;
}

#[test]
fn a_file_that_is_not_there_is_not_made() {
    let missing = Path::new("/nowhere/livecounter.db");
    let error = sqlite::prune(missing, 0, true, |_| ()).expect_err("no file");
    assert!(error.to_string().contains("/nowhere/livecounter.db"), "{error}");
}
