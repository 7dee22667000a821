//! The contract on a real Redis Cluster, also while nodes fail and slots move.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{
    Catalog, Change, Claim, ClaimTerms, LONGEST_LEASE, Outbox, Store, Values, Write, WriteError,
};

use crate::contract::{self, Backend, eventually, every_sentence};
use crate::redis_one::TIMEOUT;
use crate::support::redis_cluster::RedisCluster;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };

/// Three masters without replicas.
async fn start() -> RedisCluster {
    RedisCluster::start(3, 0, &[]).await
}

fn connect(cluster: &RedisCluster) -> RedisStore {
    RedisStore::connect(&cluster.url(), Duration::from_secs(2)).expect("a good address")
}

#[async_trait]
impl Backend for RedisCluster {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(RedisStore::connect(&self.url(), TIMEOUT).expect("a good address"))
    }

    async fn forget(&self) {
        for node in &self.nodes {
            node.cli(&["FLUSHALL"]);
        }
    }
}

macro_rules! in_turn {
    ($($sentence:ident),* $(,)?) => {
        /// Runs the tests of the contract one after the other on one cluster, as a cluster takes seconds to start.
        async fn every_sentence_holds(cluster: &RedisCluster) {
            $(
                eprintln!(stringify!($sentence));
                contract::$sentence(cluster).await;
                cluster.forget().await;
            )*
        }
    };
}
every_sentence!(in_turn);

#[tokio::test]
async fn the_contract_holds_on_a_cluster() {
    every_sentence_holds(&start().await).await;
}

fn topics(count: usize) -> Vec<Topic> {
    (0..count).map(|n| format!("counter-{n}").parse().expect("a topic")).collect()
}

fn adds(topics: &[Topic]) -> Vec<Write> {
    topics.iter().map(|topic| Write::add(topic.clone(), 1, None)).collect()
}

#[tokio::test]
async fn a_lost_node_fails_its_own_items_only() {
    let mut cluster = start().await;
    let (store, topics) = (connect(&cluster), topics(300).to_vec());
    assert!(store.write(adds(&topics)).await.iter().all(Result::is_ok));
    cluster.nodes[2].kill();
    for round in 0..3 {
        let answers = store.write(adds(&topics)).await;
        let failed =
            answers.iter().filter(|answer| matches!(answer, Err(WriteError::Unavailable(_)))).count();
        assert!((30..=170).contains(&failed), "round {round}: {failed} of 300 failed");
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 300 - failed);
    }
    let readings = store.read(topics.clone()).await;
    assert!(readings.iter().any(Result::is_ok) && readings.iter().any(Result::is_err));
    cluster.nodes[2].run();
    eventually("the node to be back", async || {
        store.write(adds(&topics)).await.iter().all(Result::is_ok).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_moves_loses_and_doubles_nothing() {
    let cluster = start().await;
    let moving: Topic = "counter-moving".parse().expect("a topic");
    let slot = cluster.slot(&moving);
    let from = cluster.owner(slot).expect("an owner");
    let store = Arc::new(connect(&cluster));
    let (adder, topic) = (Arc::clone(&store), moving.clone());
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let adding = tokio::spawn(async move {
        let mut values = Vec::new();
        while stopped.try_recv().is_err() {
            let added = adder.write(vec![Write::add(topic.clone(), 1, None); 2]).await;
            values.extend(added.into_iter().map(|added| added.expect("counted").value));
        }
        values
    });
    eventually("the first adds", async || {
        store.read(vec![moving.clone()]).await.remove(0).ok().filter(|reading| reading.value() > 20)
    })
    .await;
    // While a slot moves and the keys of a script are on two nodes, Redis answers TRYAGAIN.
    let pause = async || tokio::time::sleep(Duration::from_millis(50)).await;
    cluster.move_slot(slot, (from + 1) % 3, 10, pause).await;
    let seen = store.read(vec![moving.clone()]).await.remove(0).expect("a reading").value();
    eventually("adds at the new place", async || {
        store.read(vec![moving.clone()]).await.remove(0).ok().filter(|reading| reading.value() > seen + 20)
    })
    .await;
    stop.send(()).expect("the adder works");
    let values = adding.await.expect("no add has failed");
    assert_eq!(values, (1..=values.len() as i64).collect::<Vec<_>>());
    assert!(cluster.nodes[from].cli(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "10"]).is_empty());
}

/// A bucket with some topics, whose slot is moving: the keys of the first topic are at the new node, all others at the old one.
async fn half_moved(cluster: &RedisCluster, store: &RedisStore) -> (Vec<Topic>, usize, usize) {
    let of_bucket = |topic: &Topic| topic.bucket() == 7;
    let in_bucket: Vec<Topic> = topics(2000).into_iter().filter(of_bucket).take(4).collect();
    assert!(store.write(adds(&in_bucket)).await.iter().all(Result::is_ok));
    let claims = store.claim(in_bucket.clone(), TERMS).await;
    assert!(claims.iter().all(|claim| matches!(claim, Ok(Claim::Announce(_)))));
    let slot = cluster.slot(&in_bucket[0]);
    let from = cluster.owner(slot).expect("an owner");
    let to = (from + 1) % 3;
    cluster.begin_move(slot, from, to);
    let (name, part) = (in_bucket[0].name(), in_bucket[0].outbox_part());
    let keys = [format!("lc:{{b7}}:t:{name}"), format!("lc:{{b7}}:o{part}")];
    assert_eq!(cluster.move_keys(from, to, &keys.each_ref().map(String::as_str)), "OK");
    (in_bucket, from, to)
}

/// Moves the keys that have not moved yet.
fn finish_move(cluster: &RedisCluster, topic: &Topic, from: usize, to: usize) {
    let slot = cluster.slot(topic);
    let keys = cluster.nodes[from].cli(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "100"]);
    assert_eq!(cluster.move_keys(from, to, &keys.lines().collect::<Vec<_>>()), "OK");
    cluster.end_move(slot, from, to);
}

#[tokio::test]
async fn topics_at_two_nodes_are_refused_together_and_not_counted() {
    let cluster = start().await;
    let store = connect(&cluster);
    let (topics, from, to) = half_moved(&cluster, &store).await;
    for answer in store.write(adds(&topics[..2])).await {
        let Err(WriteError::Unavailable(error)) = answer else {
            panic!("expected a failure, not {answer:?}")
        };
        assert!(error.is_refusal(), "{error}");
    }
    finish_move(&cluster, &topics[0], from, to);
    let values: Vec<_> = store
        .write(adds(&topics[..2]))
        .await
        .into_iter()
        .map(|answer| answer.expect("counted").value)
        .collect();
    assert_eq!(values, [2, 2]);
}

#[tokio::test]
async fn a_topic_that_is_deleted_while_its_slot_moves_stops_no_move() {
    let cluster = start().await;
    let store = connect(&cluster);
    let (topics, from, to) = half_moved(&cluster, &store).await;
    let deletion = Write::new(topics[0].clone(), Change::Delete);
    assert!(store.write(vec![deletion]).await.remove(0).expect("deleted").removed);
    finish_move(&cluster, &topics[0], from, to);
    eventually("the topic to be no longer counted", async || {
        (store.topic_count().await.ok()? == 3).then_some(())
    })
    .await;
    let listed = store.list("", None, 9).await.expect("a list");
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|(topic, _)| *topic != topics[0]));
}

#[tokio::test]
async fn a_topic_that_is_created_while_its_slot_moves_stops_no_move() {
    let cluster = start().await;
    let store = connect(&cluster);
    let (topics, from, to) = half_moved(&cluster, &store).await;
    // The deletion is not acknowledged, so that the hash is there.
    let deletion = Write::new(topics[0].clone(), Change::Delete);
    assert!(store.write(vec![deletion]).await.remove(0).expect("deleted").removed);
    assert!(store.write(adds(&topics[..1])).await.remove(0).expect("counted").created);
    finish_move(&cluster, &topics[0], from, to);
    eventually("the topic to be counted", async || (store.topic_count().await.ok()? == 4).then_some(()))
        .await;
    assert_eq!(store.list("", None, 9).await.expect("a list").len(), 4);
}

#[tokio::test]
async fn a_topic_not_counted_at_its_creation_is_counted_with_its_claim() {
    let cluster = start().await;
    let (store, topic) = (connect(&cluster), topics(1).remove(0));
    assert!(store.write(adds(std::slice::from_ref(&topic))).await[0].is_ok());
    let node = &cluster.nodes[cluster.owner(cluster.slot(&topic)).expect("an owner")];
    let (bucket, part) = (topic.bucket(), topic.outbox_part());
    // As the origin leaves it that ends between the addition and the count.
    node.cli(&["HDEL", &format!("lc:{{b{bucket}}}:t:{}", topic.name()), "n"]);
    node.cli(&["DEL", &format!("lc:{{b{bucket}}}:topics"), &format!("lc:{{b{bucket}}}:n{part}")]);
    assert_eq!(store.topic_count().await.expect("a number"), 0);
    for claimed in [true, false] {
        let claim = store.claim(vec![topic.clone()], TERMS).await.remove(0).expect("the store to answer");
        assert_eq!(matches!(claim, Claim::Announce(_)), claimed);
        assert_eq!(store.topic_count().await.expect("a number"), 1);
    }
    assert_eq!(store.list("", None, 9).await.expect("a list").len(), 1);
}

#[tokio::test]
async fn without_the_node_asked_first_the_others_are_swept_and_answer_pings() {
    let mut cluster = start().await;
    let (store, topics) = (connect(&cluster), topics(300));
    assert!(store.write(adds(&topics)).await.iter().all(Result::is_ok));
    let first = cluster.nodes[0].cli(&["CLUSTER", "KEYSLOT", "{b0}"]).parse().expect("a slot");
    let away = cluster.owner(first).expect("an owner");
    cluster.nodes[away].kill();
    store.ping().await.expect("two nodes answer");
    let swept = eventually("the other nodes' marks to be overdue", async || {
        store.overdue(1000, Duration::from_millis(1)).await.ok().filter(|topics| topics.len() >= 130)
    });
    let swept = swept.await.len();
    assert!(swept <= 270, "{swept} of 300");
    // Also in a Cluster, only one origin sweeps at a time.
    let pause = Duration::from_secs(60);
    assert!(!store.overdue(1000, pause).await.expect("a sweep").is_empty());
    assert!(connect(&cluster).overdue(1000, pause).await.expect("the store to answer").is_empty());
}

#[tokio::test]
async fn a_full_node_fails_its_own_changes_only_and_the_others_are_swept() {
    let cluster = start().await;
    let (store, topics) = (connect(&cluster), topics(60));
    assert!(store.write(adds(&topics)).await.iter().all(Result::is_ok));
    let first = cluster.nodes[0].cli(&["CLUSTER", "KEYSLOT", "{b0}"]).parse().expect("a slot");
    let full = cluster.owner(first).expect("an owner");
    cluster.nodes[full].cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let answers = store.write(adds(&topics)).await;
    for (topic, answer) in topics.iter().zip(&answers) {
        let is_full = cluster.owner(cluster.slot(topic)) == Some(full);
        assert_eq!(answer.is_err(), is_full, "{topic}: {answer:?}");
    }
    assert!(answers.iter().any(Result::is_ok) && answers.iter().any(Result::is_err));
    assert!(store.read(topics.clone()).await.iter().all(Result::is_ok));
    store.ping().await.expect("two nodes take changes");
    eventually("the marks to be overdue", async || {
        store.overdue(1000, Duration::from_millis(1)).await.ok().filter(|topics| topics.len() == 60)
    })
    .await;
    for node in &cluster.nodes {
        node.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    }
    let error = store.ping().await.expect_err("no node takes changes");
    assert!(error.to_string().contains("OOM"), "{error}");
    for node in &cluster.nodes {
        node.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    }
    assert!(store.write(adds(&topics)).await.iter().all(Result::is_ok));
    store.ping().await.expect("all nodes take changes");
}

#[tokio::test]
async fn a_node_that_hangs_holds_up_no_call_to_the_others() {
    let mut cluster = RedisCluster::start(3, 0, &["--cluster-require-full-coverage no"]).await;
    let store = connect(&cluster);
    let topics = topics(60);
    assert!(store.write(adds(&topics)).await.iter().all(Result::is_ok));
    cluster.nodes[0].pause();
    let both = async || {
        let (since, answers) = (Instant::now(), store.write(adds(&topics)).await);
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        assert!((1..topics.len()).contains(&refused), "{refused} refused");
        since.elapsed()
    };
    // The first calls wait for the node's answer, the next ones for a connection to the node.
    let at_once = async || (both().await < Duration::from_millis(500)).then_some(());
    eventually("the node to be given up", at_once).await;
    let mut took = Duration::ZERO;
    for _ in 0..20 {
        took += both().await;
    }
    assert!(took < Duration::from_secs(1), "{took:?}: one attempt to connect takes as long");
}

#[tokio::test]
async fn an_origin_that_starts_while_the_schema_node_hangs_serves_the_others() {
    let mut cluster = RedisCluster::start(3, 0, &["--cluster-require-full-coverage no"]).await;
    let topics = topics(60);
    assert!(connect(&cluster).write(adds(&topics)).await.iter().all(Result::is_ok));
    let first = cluster.nodes[0].cli(&["CLUSTER", "KEYSLOT", "{b0}"]).parse().expect("a slot");
    let away = cluster.owner(first).expect("an owner");
    cluster.nodes[away].pause();
    let store = connect(&cluster);
    let at_once = async || {
        let (since, answers) = (Instant::now(), store.write(adds(&topics)).await);
        (answers.iter().any(Result::is_ok) && since.elapsed() < Duration::from_millis(500)).then_some(())
    };
    eventually("the others to serve", at_once).await;
}
