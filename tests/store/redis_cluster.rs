//! The contract on a real Redis Cluster, and what becomes of it when nodes and slots come and go.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{Add, AddError, Store};

use crate::contract::{self, Backend, eventually, every_sentence};
use crate::support::redis::{RedisServer, free_port};

/// Three masters without replicas.
struct Cluster {
    nodes: Vec<RedisServer>,
}

impl Cluster {
    async fn start() -> Self {
        let nodes: Vec<_> = (0..3).map(|_| node()).collect();
        for (node, slots) in nodes.iter().zip([("0", "5460"), ("5461", "10922"), ("10923", "16383")]) {
            node.cli(&["CLUSTER", "ADDSLOTSRANGE", slots.0, slots.1]);
        }
        for node in &nodes[1..] {
            let (port, bus) = (node.port().to_string(), bus_port(node));
            nodes[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let cluster = Cluster { nodes };
        eventually("the cluster to agree", async || cluster.agrees().then_some(())).await;
        cluster
    }

    fn agrees(&self) -> bool {
        self.nodes.iter().all(|node| {
            let info = node.cli(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        })
    }

    fn connect(&self) -> RedisStore {
        let url =
            format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", self.nodes[0].port(), self.nodes[1].port());
        RedisStore::connect(&url, Duration::from_secs(2)).expect("a good address")
    }
}

fn node() -> RedisServer {
    let bus = format!("--cluster-port {}", free_port());
    let settings =
        ["--cluster-enabled yes", &bus, "--cluster-node-timeout 1000", "--cluster-require-full-coverage no"];
    RedisServer::on_port(free_port(), &settings)
}

fn bus_port(node: &RedisServer) -> String {
    let line = node.cli(&["CLUSTER", "NODES"]);
    let bus = line.split(['@', ',', ' ']).nth(2).expect("id ip:port@bus");
    bus.to_owned()
}

#[async_trait]
impl Backend for Cluster {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.connect())
    }

    async fn forget(&self) {
        for node in &self.nodes {
            node.cli(&["FLUSHALL"]);
        }
    }
}

macro_rules! in_turn {
    ($($sentence:ident),* $(,)?) => {
        /// One after the other, as starting a cluster takes seconds.
        async fn every_sentence_holds(cluster: &Cluster) {
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
    every_sentence_holds(&Cluster::start().await).await;
}

fn topics(count: usize) -> Vec<Topic> {
    (0..count).map(|n| format!("counter-{n}").parse().expect("a topic")).collect()
}

fn adds(topics: &[Topic]) -> Vec<Add> {
    topics.iter().map(|topic| Add::single(topic.clone(), 1, None)).collect()
}

#[tokio::test]
async fn a_lost_node_fails_its_own_items_only() {
    let mut cluster = Cluster::start().await;
    let (store, topics) = (cluster.connect(), topics(300).to_vec());
    assert!(store.add(adds(&topics)).await.iter().all(Result::is_ok));
    cluster.nodes[2].kill();
    for round in 0..3 {
        let answers = store.add(adds(&topics)).await;
        let failed = answers.iter().filter(|answer| matches!(answer, Err(AddError::Unavailable(_)))).count();
        assert!((30..=170).contains(&failed), "round {round}: {failed} of 300 failed");
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 300 - failed);
    }
    let readings = store.read(topics.clone()).await;
    assert!(readings.iter().any(Result::is_ok) && readings.iter().any(Result::is_err));
    cluster.nodes[2].run();
    eventually("the node to be back", async || {
        store.add(adds(&topics)).await.iter().all(Result::is_ok).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_moves_loses_and_doubles_nothing() {
    let cluster = Cluster::start().await;
    let moving: Topic = "counter-moving".parse().expect("a topic");
    let (slot, from, to) = route(&cluster, &moving);
    let store = Arc::new(cluster.connect());
    let (adder, topic) = (Arc::clone(&store), moving.clone());
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let adding = tokio::spawn(async move {
        let mut values = Vec::new();
        while stopped.try_recv().is_err() {
            let added = adder.add(vec![Add::single(topic.clone(), 1, None); 2]).await;
            values.extend(added.into_iter().map(|added| added.expect("counted").value));
        }
        values
    });
    eventually("the first adds", async || {
        store.read(vec![moving.clone()]).await.remove(0).ok().filter(|reading| reading.value > 20)
    })
    .await;
    move_slot(from, to, &slot).await;
    let seen = store.read(vec![moving.clone()]).await.remove(0).expect("a reading").value;
    eventually("adds at the new place", async || {
        store.read(vec![moving.clone()]).await.remove(0).ok().filter(|reading| reading.value > seen + 20)
    })
    .await;
    stop.send(()).expect("the adder works");
    let values = adding.await.expect("no add has failed");
    assert_eq!(values, (1..=values.len() as i64).collect::<Vec<_>>());
    assert!(from.cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]).is_empty());
}

/// The topic's slot, its owner, and another node.
fn route<'a>(cluster: &'a Cluster, topic: &Topic) -> (String, &'a RedisServer, &'a RedisServer) {
    let key = format!("{{b{}}}", topic.bucket());
    let slot = cluster.nodes[0].cli(&["CLUSTER", "KEYSLOT", &key]);
    let owner = slot.parse::<usize>().expect("a slot") / 5461;
    (slot, &cluster.nodes[owner.min(2)], &cluster.nodes[(owner + 1) % 3])
}

/// As `redis-cli --cluster reshard` does it, with time between the keys.
async fn move_slot(from: &RedisServer, to: &RedisServer, slot: &str) {
    let (source, target) = (from.cli(&["CLUSTER", "MYID"]), to.cli(&["CLUSTER", "MYID"]));
    to.cli(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &source]);
    from.cli(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &target]);
    let port = to.port().to_string();
    loop {
        tokio::time::interval(Duration::from_millis(50)).tick().await;
        let keys = from.cli(&["CLUSTER", "GETKEYSINSLOT", slot, "1"]);
        if keys.is_empty() {
            break;
        }
        from.cli(&["MIGRATE", "127.0.0.1", &port, &keys, "0", "1000"]);
        // While one key is here and the other there, scripts are told to try again.
        let mut pause = tokio::time::interval(Duration::from_millis(50));
        pause.tick().await;
        pause.tick().await;
    }
    for node in [to, from] {
        node.cli(&["CLUSTER", "SETSLOT", slot, "NODE", &target]);
    }
}
