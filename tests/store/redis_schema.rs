//! Data of another version in Redis: the store upgrades data of an older version while origins of both versions run, and refuses data of a
//! newer one. The scripts of the older version are kept here unchanged.

use std::time::Duration;

use livecounter::domain::{EventId, Topic};
use livecounter::store::redis::RedisStore;
use livecounter::store::{
    Announcement, Catalog, Claim, ClaimTerms, LONGEST_LEASE, Outbox, Store, Values, Write,
};

use crate::contract::eventually;
use crate::support::redis::RedisServer;
use crate::support::redis_cluster::RedisCluster;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };
const OLD_ADD: &str = include_str!("version_1/add.lua");
const OLD_CLAIM: &str = include_str!("version_1/claim.lua");

fn topic(id: u32) -> Topic {
    format!("counter-{id}").parse().expect("a topic")
}

fn connect(url: &str) -> RedisStore {
    RedisStore::connect(url, Duration::from_secs(2)).expect("a good address")
}

fn hash(topic: &Topic) -> String {
    format!("lc:{{b{}}}:t:{}", topic.bucket(), topic.name())
}

fn outbox(topic: &Topic) -> String {
    format!("lc:{{b{}}}:o{}", topic.bucket(), topic.outbox_part())
}

/// Adds 1 as an origin of version 1 does.
fn add_as_before(server: &RedisServer, topic: &Topic) -> String {
    let (hash, outbox) = (hash(topic), outbox(topic));
    let limit = "9007199254740991";
    let (least, arguments) = (format!("-{limit}"), ["4711", "2000", "1", "1"]);
    let call = [&["EVAL", OLD_ADD, "2", &hash, &outbox][..], &arguments, &[&least, limit, "", ""]].concat();
    server.cli(&call)
}

/// Claims as an origin of version 1 does, with leases of so many milliseconds.
fn claim_as_before(server: &RedisServer, topic: &Topic, lease: &str) -> String {
    let (hash, outbox) = (hash(topic), outbox(topic));
    server.cli(&["EVAL", OLD_CLAIM, "2", &hash, &outbox, "0", lease, "4712", "60000"])
}

async fn claim(store: &RedisStore, topic: &Topic, terms: ClaimTerms) -> Option<Announcement> {
    match store.claim(vec![topic.clone()], terms).await.remove(0).expect("the store to answer") {
        Claim::Announce(announcement) => Some(announcement),
        Claim::Wait(_) | Claim::Nothing => None,
    }
}

async fn count(store: &RedisStore) -> u64 {
    store.topic_count().await.expect("a number")
}

/// So many topics that the upgrade takes several steps.
const MANY: u32 = 1200;

/// Writes hashes as version 1 left them: claimed and acknowledged, some of them without a time.
fn write_as_before(server: &RedisServer, topics: impl Iterator<Item = Topic>) {
    for topic in topics {
        let state = "v 5 e 4711 r 5 c 0 p 5 w 5 q 0 a 5 m unknown";
        let state: Vec<&str> = state.split(' ').collect();
        server.cli(&[&["HSET", &hash(&topic)][..], &state].concat());
    }
}

#[tokio::test]
async fn topics_of_the_version_before_are_counted_by_a_migration() {
    let server = RedisServer::start();
    let script = "for i = 0, ARGV[1] - 1 do redis.call('HSET', KEYS[i + 1], 'v', 5, 'e', 4711, 'r', 5, 'c', 0, 'p', 5, \
                  'w', 5, 'q', 0, 'a', 5, 'm', 'unknown') end";
    let (keys, number) = ((0..MANY).map(|n| hash(&topic(n))).collect::<Vec<_>>(), MANY.to_string());
    let keys = keys.iter().map(String::as_str).collect::<Vec<_>>();
    server.cli(&[&["EVAL", script, &number][..], &keys, &[&number]].concat());
    // Neither of these keys is a topic of the store.
    server.cli(&["SET", "lc:{b1}:t:counter-text", "no hash"]);
    server.cli(&["HSET", "lc:{b1}:t:elsewhere", "e", "1"]);
    let store = connect(&server.url());
    assert_eq!(count(&store).await, 0);
    assert_eq!(store.migrate().await.expect("a migration"), u64::from(MANY));
    assert_eq!(count(&store).await, u64::from(MANY));
    assert_eq!(server.cli(&["GET", "lc:{b0}:schema"]), "2");
    assert_eq!(server.cli(&["EXISTS", "lc:{b0}:migrating"]), "0");
    assert_ne!(server.cli(&["HGET", &hash(&topic(1)), "s"]), "", "it counts as claimed now");
    assert_eq!(connect(&server.url()).migrate().await.expect("a look"), 0, "nothing is left to do");
}

#[tokio::test]
async fn an_empty_redis_is_of_this_version_at_once() {
    let server = RedisServer::start();
    assert_eq!(connect(&server.url()).migrate().await.expect("a migration"), 0);
    assert_eq!(server.cli(&["GET", "lc:{b0}:schema"]), "4");
}

#[tokio::test]
async fn one_process_migrates_and_the_others_wait_for_it() {
    let server = RedisServer::start();
    write_as_before(&server, (0..3).map(topic));
    server.cli(&["SET", "lc:{b0}:migrating", "1", "PX", "10000"]);
    let store = connect(&server.url());
    let waiting = tokio::spawn(async move { store.migrate().await.expect("a migration") });
    eventually("it to look", async || {
        let looks = server.cli(&["INFO", "commandstats"]);
        looks.contains("cmdstat_set:").then_some(())
    })
    .await;
    assert_eq!(count(&connect(&server.url())).await, 0);
    server.cli(&["DEL", "lc:{b0}:migrating"]);
    assert_eq!(waiting.await.expect("its end"), 3);
}

#[tokio::test]
async fn a_cluster_is_migrated_on_all_its_nodes() {
    let cluster = RedisCluster::start(3, 0, &[]).await;
    for topic in (0..60).map(topic) {
        let owner = cluster.owner(cluster.slot(&topic)).expect("an owner");
        write_as_before(&cluster.nodes[owner], std::iter::once(topic));
    }
    let store = connect(&cluster.url());
    assert_eq!(store.migrate().await.expect("a migration"), 60);
    assert_eq!(count(&store).await, 60);
}

#[tokio::test]
async fn a_redis_of_a_newer_version_is_refused_and_nothing_is_written() {
    let server = RedisServer::start();
    server.cli(&["SET", "lc:{b0}:schema", "5"]);
    let store = connect(&server.url());
    let refusals = [
        store.write(vec![Write::add(topic(1), 1, None)]).await.remove(0).expect_err("refused").to_string(),
        store.read(vec![topic(1)]).await.remove(0).expect_err("refused").to_string(),
        store.ping().await.expect_err("refused").to_string(),
        store.overdue(1, Duration::ZERO).await.expect_err("refused").to_string(),
        store.migrate().await.expect_err("refused").to_string(),
    ];
    for refusal in refusals {
        assert!(refusal.contains("newer version") && refusal.contains("its schema is 5"), "{refusal}");
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
    }
    assert_eq!(server.cli(&["DBSIZE"]), "1");
}

#[tokio::test]
async fn a_topic_of_an_older_origin_is_counted_when_a_newer_one_claims_it() {
    let server = RedisServer::start();
    let store = connect(&server.url());
    store.migrate().await.expect("a migration");
    let (unclaimed, claimed) = (topic(1), topic(2));
    for topic in [&unclaimed, &claimed] {
        assert_eq!(add_as_before(&server, topic), "1");
    }
    assert!(claim_as_before(&server, &claimed, "6000").starts_with("1\n4711\n1\n0"));
    assert_eq!(count(&store).await, 0);
    assert_eq!(claim(&store, &unclaimed, TERMS).await.expect("a claim").value(), 1);
    assert_eq!(count(&store).await, 1);
    add_as_before(&server, &claimed);
    let first = claim(&store, &claimed, TERMS).await.expect("a claim");
    assert_eq!((first.value(), first.prev.revision), (2, 1), "the chain goes on");
    assert_eq!(count(&store).await, 2);
    // The same holds for an addition that claims.
    let third = topic(3);
    add_as_before(&server, &third);
    let add = Write { claim: Some(LONGEST_LEASE), ..Write::add(third, 1, None) };
    assert!(!store.write(vec![add]).await.remove(0).expect("counted").created);
    assert_eq!(count(&store).await, 3);
}

#[tokio::test]
async fn an_older_origin_announces_nothing_wrong_after_a_claim_of_a_newer_one() {
    let server = RedisServer::start();
    let (store, topic) = (connect(&server.url()), topic(1));
    add_as_before(&server, &topic);
    assert!(claim_as_before(&server, &topic, "6000").starts_with("1\n4711\n1\n0"));
    store.write(vec![Write::add(topic.clone(), 1, None)]).await.remove(0).expect("counted");
    // An origin of the newer version claims the topic, and ends before it acknowledges.
    let short = ClaimTerms { lease: Duration::from_millis(1), ..TERMS };
    let died = claim(&store, &topic, short).await.expect("a claim");
    assert_eq!((died.value(), died.id.revision), (2, 2));
    // An origin of the older version cannot get the value: the script returns a reply that this origin takes for an error, not the value of its
    // own claim.
    let again = eventually("the lease to run out", async || {
        Some(claim_as_before(&server, &topic, "1")).filter(|answer| answer != "0")
    });
    assert_eq!(again.await, "");
    let again = eventually("that lease, too", async || claim(&store, &topic, TERMS).await).await;
    assert_eq!(again, died);
    // Origins of both versions can claim the next change.
    add_as_before(&server, &topic);
    let answer = claim_as_before(&server, &topic, "6000");
    assert!(answer.starts_with("3\n4711\n3\n2"), "{answer}");
    store.acknowledge(vec![(topic, EventId { revision: 3, ..died.id })]).await.expect("acknowledged");
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
}
