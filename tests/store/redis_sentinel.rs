//! A master, a replica and a Sentinel: the store follows the master.

use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{Add, Store};

use crate::contract::eventually;
use crate::support::redis::{RedisServer, free_port};

struct Watched {
    master: RedisServer,
    replica: RedisServer,
    sentinel: RedisServer,
}

impl Watched {
    async fn start() -> Self {
        let master = RedisServer::on_port(free_port(), &[]);
        let follow = format!("--replicaof 127.0.0.1 {}", master.port());
        let replica = RedisServer::on_port(free_port(), &[&follow]);
        eventually("the replica to follow", async || {
            replica.cli(&["INFO", "replication"]).contains("master_link_status:up").then_some(())
        })
        .await;
        let configuration = format!(
            "sentinel monitor main 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 5000",
            master.port()
        );
        let sentinel = RedisServer::sentinel(free_port(), &configuration);
        eventually("the Sentinel to know the replica", async || {
            sentinel
                .cli(&["SENTINEL", "REPLICAS", "main"])
                .contains(&replica.port().to_string())
                .then_some(())
        })
        .await;
        Watched { master, replica, sentinel }
    }

    fn connect(&self) -> RedisStore {
        // One of the Sentinels is down.
        let url =
            format!("redis+sentinel://127.0.0.1:{},127.0.0.1:{}/main", free_port(), self.sentinel.port());
        RedisStore::connect(&url, Duration::from_secs(1)).expect("a good address")
    }
}

/// Whether the server answers that it has this role; one that changes it cuts connections.
fn role(server: &RedisServer, role: &str) -> Option<()> {
    server.try_cli(&["ROLE"]).filter(|answer| answer.starts_with(role)).map(|_| ())
}

const KEY: &str = "lc:{b104}:t:counter-watched";

async fn bump(store: &RedisStore) -> Option<i64> {
    let topic: Topic = "counter-watched".parse().expect("a topic");
    store.add(vec![Add::single(topic, 1, None)]).await.remove(0).ok().map(|added| added.value)
}

#[tokio::test]
async fn a_replica_that_takes_over_is_found() {
    let mut watched = Watched::start().await;
    let store = watched.connect();
    assert_eq!(bump(&store).await, Some(1));
    assert_eq!(watched.master.cli(&["WAIT", "1", "1000"]), "1");
    eventually("the replica to have it", async || {
        watched.replica.cli(&["DBSIZE"]).starts_with('2').then_some(())
    })
    .await;
    watched.master.kill();
    assert_eq!(eventually("the replica to take over", async || bump(&store).await).await, 2);
    assert!(watched.replica.cli(&["ROLE"]).starts_with("master"));
}

#[tokio::test]
async fn a_master_that_steps_down_is_left() {
    let watched = Watched::start().await;
    let store = watched.connect();
    assert_eq!(bump(&store).await, Some(1));
    eventually("the Sentinel to act", async || {
        watched.sentinel.cli(&["SENTINEL", "FAILOVER", "main"]).starts_with("OK").then_some(())
    })
    .await;
    eventually("the replica to be promoted", async || role(&watched.replica, "master")).await;
    // The old master does not know yet and takes writes: they are lost, so the store must not stay with it.
    eventually("the new master to be found", async || {
        let counted = bump(&store).await?;
        (watched.replica.cli(&["HGET", KEY, "v"]) == counted.to_string()).then_some(())
    })
    .await;
}
