//! A master, a replica and a Sentinel: the store always writes to the present master.

use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{Values, Write};

use crate::contract::eventually;
use crate::support::redis::{RedisServer, free_port};
use crate::support::redis_sentinels::RedisSentinels;

async fn start() -> RedisSentinels {
    RedisSentinels::start(1, 1, &[], "").await
}

fn connect(watched: &RedisSentinels) -> RedisStore {
    // The first of the Sentinels is not running.
    let url = watched.url().replacen("://", &format!("://127.0.0.1:{},", free_port()), 1);
    RedisStore::connect(&url, Duration::from_secs(1)).expect("a good address")
}

/// Whether the server answers that it has this role. A server that changes its role cuts its connections, so that no answer is no error.
fn role(server: &RedisServer, role: &str) -> Option<()> {
    server.try_cli(&["ROLE"]).filter(|answer| answer.starts_with(role)).map(|_| ())
}

const KEY: &str = "lc:{b104}:t:counter-watched";

async fn bump(store: &RedisStore) -> Option<i64> {
    let topic: Topic = "counter-watched".parse().expect("a topic");
    store.write(vec![Write::add(topic, 1, None)]).await.remove(0).ok().map(|added| added.value)
}

#[tokio::test]
async fn a_replica_that_takes_over_is_found() {
    let mut watched = start().await;
    let store = connect(&watched);
    assert_eq!(bump(&store).await, Some(1));
    assert_eq!(watched.servers[0].cli(&["WAIT", "1", "1000"]), "1");
    eventually("the replica to have it", async || {
        watched.servers[1].cli(&["DBSIZE"]).starts_with('4').then_some(())
    })
    .await;
    watched.servers[0].kill();
    assert_eq!(eventually("the replica to take over", async || bump(&store).await).await, 2);
    assert!(watched.servers[1].cli(&["ROLE"]).starts_with("master"));
}

#[tokio::test]
async fn a_master_that_steps_down_is_left() {
    let watched = start().await;
    let store = connect(&watched);
    assert_eq!(bump(&store).await, Some(1));
    eventually("the Sentinel to act", async || {
        watched.sentinels[0].cli(&["SENTINEL", "FAILOVER", "main"]).starts_with("OK").then_some(())
    })
    .await;
    eventually("the replica to be promoted", async || role(&watched.servers[1], "master")).await;
    // The old master does not know of the fail-over yet and accepts writes, which are lost: the store must leave it.
    eventually("the new master to be found", async || {
        let counted = bump(&store).await?;
        (watched.servers[1].cli(&["HGET", KEY, "v"]) == counted.to_string()).then_some(())
    })
    .await;
}
