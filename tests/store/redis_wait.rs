//! Additions that the store answers only when replicas have them (`redis.wait`).

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use livecounter::domain::Topic;
use livecounter::store::redis::{RedisStore, Wait};
use livecounter::store::{Hit, KeySource, Values, Write, WriteError, Written};

use crate::contract::eventually;
use crate::support::redis::{FOLLOWER, RedisServer, part_with_replicas};
use crate::support::redis_cluster::RedisCluster;
use crate::support::redis_sentinels::RedisSentinels;

/// Long enough for a replica on a busy machine, as most of these tests expect an answer of the replica.
const WITHIN: Duration = Duration::from_millis(1_500);

/// A master and its replica.
struct Pair {
    master: RedisServer,
    _replica: RedisServer,
}

impl Pair {
    async fn start() -> Pair {
        let master = RedisServer::with_port(&FOLLOWER);
        let follow = format!("--replicaof 127.0.0.1 {}", master.port());
        let replica = RedisServer::with_port(&[&FOLLOWER[..], &[&follow]].concat());
        let pair = Pair { master, _replica: replica };
        pair.until_followed().await;
        pair
    }

    async fn until_followed(&self) {
        eventually("the replica to follow", async || {
            self.master.cli(&["INFO", "replication"]).contains("state=online").then_some(())
        })
        .await;
    }

    fn connect(&self, replicas: u32) -> RedisStore {
        let wait = Wait { replicas: NonZeroU32::new(replicas).expect("some"), within: WITHIN };
        RedisStore::connect_and_wait(&self.master.url(), Duration::from_secs(2), wait)
            .expect("a good address")
    }

    fn waits(&self) -> u64 {
        waits(&self.master)
    }
}

/// The number of WAIT commands that a master got.
fn waits(master: &RedisServer) -> u64 {
    let statistics = master.cli(&["INFO", "commandstats"]);
    let line = statistics.lines().find_map(|line| line.strip_prefix("cmdstat_wait:calls="));
    line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().expect("a number"))
}

fn topic() -> Topic {
    "counter-waited-for".parse().expect("a topic")
}

async fn bump(store: &RedisStore, key: Option<&str>) -> Result<Written, WriteError> {
    let key = key.map(|key| key.parse().expect("a key"));
    store.write(vec![Write::add(topic(), 1, key)]).await.remove(0)
}

async fn store_value(store: &RedisStore) -> Option<i64> {
    store.read(vec![topic()]).await.remove(0).ok().map(|reading| reading.value())
}

async fn value(store: &RedisStore) -> i64 {
    store_value(store).await.expect("a reading")
}

#[tokio::test]
async fn a_batch_is_waited_for_once() {
    let pair = Pair::start().await;
    let store = pair.connect(1);
    let topics = (0..500).map(|n| format!("counter-{n}").parse().expect("a topic"));
    let adds: Vec<_> = topics.map(|topic| Write::add(topic, 1, None)).collect();
    // The first call also loads the script.
    bump(&store, None).await.expect("counted");
    let before = pair.waits();
    assert!(store.write(adds).await.iter().all(Result::is_ok));
    assert_eq!(pair.waits(), before + 1);
    assert_eq!(value(&store).await, 1);
    assert_eq!(pair.waits(), before + 1, "a reading waits for no replica");
}

#[tokio::test]
async fn all_slots_of_a_node_are_waited_for_together() {
    let cluster = RedisCluster::start(3, 0, &[]).await;
    let wait = Wait { replicas: NonZeroU32::MIN, within: Duration::from_millis(100) };
    let store = RedisStore::connect_and_wait(&cluster.url(), Duration::from_secs(2), wait);
    let store = store.expect("a good address");
    let adds = || (0..90).map(|n| Write::add(format!("counter-{n}").parse().expect("a topic"), 1, None));
    // The first calls also load the script on the nodes.
    store.write(adds().collect()).await;
    let sum = || cluster.nodes.iter().map(waits).sum::<u64>();
    let before = sum();
    assert!(store.write(adds().collect()).await.iter().all(Result::is_err), "there is no replica");
    let more = sum() - before;
    assert!((3..=9).contains(&more), "{more} times for three nodes, and not once for each of some 60 slots");
}

#[tokio::test]
async fn changes_on_too_few_replicas_are_counted_and_not_acknowledged() {
    let pair = Pair::start().await;
    let (one, two) = (pair.connect(1), pair.connect(2));
    assert_eq!(bump(&one, None).await.expect("one has it").value, 1);
    let since = Instant::now();
    let error = bump(&two, None).await.expect_err("there is one only");
    assert!(matches!(error, WriteError::Unavailable(_)));
    assert!(error.to_string().contains("counted, but on too few replicas"), "{error}");
    assert!(error.to_string().contains("1 of 2 replicas within 1.5s"), "{error}");
    assert!(since.elapsed() >= WITHIN, "{:?}", since.elapsed());
    assert_eq!(value(&two).await, 2);
    assert_eq!(bump(&one, None).await.expect("one has it").value, 3);
}

#[tokio::test]
async fn reading_does_not_wait_while_adding_does() {
    let pair = Pair::start().await;
    let store = pair.connect(2);
    let adding = async {
        let since = Instant::now();
        assert!(bump(&store, None).await.is_err());
        since.elapsed()
    };
    let reading = async {
        eventually("the change to be seen", async || (value(&store).await == 1).then_some(())).await;
        Instant::now()
    };
    let start = Instant::now();
    let (added, seen) = tokio::join!(adding, reading);
    assert!(seen - start < added, "seen after {:?}, refused after {added:?}", seen - start);
}

#[tokio::test]
async fn a_replayed_key_is_acknowledged_once_the_replicas_have_its_first_use() {
    let pair = Pair::start().await;
    let (first, second) = (pair.connect(1), pair.connect(1));
    assert_eq!(bump(&first, Some("before")).await.expect("counted").value, 1);
    part_with_replicas(&pair.master);
    assert!(bump(&first, Some("k")).await.is_err(), "no replica has it");
    // The repetition goes over another connection, on which nothing was written.
    assert!(bump(&second, Some("k")).await.is_err(), "no replica has it yet");
    pair.master.cli(&["ACL", "SETUSER", "follower", "on"]);
    pair.until_followed().await;
    let again = bump(&second, Some("k")).await.expect("counted");
    assert_eq!((again.value, again.replayed), (2, true));
    assert_eq!(value(&second).await, 2);
}

#[tokio::test]
async fn changes_refused_by_a_master_without_replicas_are_not_counted() {
    let pair = Pair::start().await;
    let store = pair.connect(1);
    pair.master.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert_eq!(bump(&store, None).await.expect("counted").value, 1);
    part_with_replicas(&pair.master);
    let error = eventually("Redis to notice", async || bump(&store, None).await.err()).await;
    let text = error.to_string();
    if !text.contains("NOREPLICAS") {
        assert!(text.contains("counted, but on too few replicas"), "{text}");
    }
    let before = value(&store).await;
    let error = bump(&store, None).await.expect_err("there is no replica");
    assert!(error.to_string().contains("NOREPLICAS"), "{error}");
    assert_eq!(value(&store).await, before);
}

#[tokio::test]
async fn a_change_on_one_of_two_replicas_is_lost_if_the_other_takes_over() {
    let mut watched = RedisSentinels::start(2, 1, &[], "").await;
    let connect = |replicas| {
        let wait = Wait { replicas: NonZeroU32::new(replicas).expect("some"), within: WITHIN };
        RedisStore::connect_and_wait(&watched.url(), Duration::from_secs(2), wait).expect("a good address")
    };
    let (one, two) = (connect(1), connect(2));
    assert_eq!(bump(&two, None).await.expect("both have it").value, 1);
    // The second replica cannot connect to its master again.
    watched.servers[2].cli(&["CONFIG", "SET", "masterauth", "wrong"]);
    watched.servers[0].cli(&["CLIENT", "KILL", "TYPE", "replica"]);
    watched.until_in_step(1).await;
    assert_eq!(bump(&one, None).await.expect("the first has it").value, 2);
    assert!(bump(&two, None).await.is_err(), "not both");
    watched.servers[0].kill();
    watched.servers[1].kill();
    watched.until_master_other_than(Some(0)).await;
    assert_eq!(watched.master(), Some(2));
    let left = eventually("the second to be found", async || {
        store_value(&one).await.filter(|_| watched.servers[2].cli(&["ROLE"]).starts_with("master"))
    });
    assert_eq!(left.await, 1, "what was acknowledged with one of two is lost, what was with both is not");
}

#[tokio::test]
async fn hits_and_their_repetitions_are_waited_for() {
    let pair = Pair::start().await;
    let (one, two) = (pair.connect(1), pair.connect(2));
    let hit = |key: &str| Hit {
        page: topic(),
        site: "site-www.example.com".parse().expect("a topic"),
        key: key.parse().expect("a key"),
        lifetime: Duration::from_secs(60),
        source: KeySource::Client,
        visit: None,
        claim: None,
    };
    let answer = one.hit(vec![hit("a"), hit("b")]).await.remove(1);
    assert_eq!(answer.page.expect("one has it").value, 2);
    // A repetition is not acknowledged either before two replicas have its key, and there is one only.
    for key in ["c", "c", "a"] {
        let error = two.hit(vec![hit(key)]).await.remove(0).page.expect_err("there is one only");
        assert!(error.to_string().contains("on too few replicas"), "{error}");
    }
    assert_eq!(value(&one).await, 3);
}
