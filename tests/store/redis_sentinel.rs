//! A master, a replica and a Sentinel: the store always writes to the present master.

use std::time::{Duration, Instant};

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{Values, Write};

use crate::contract::eventually;
use crate::support::redis::{RedisServer, until_caught_up};
use crate::support::redis_sentinels::RedisSentinels;

async fn start() -> RedisSentinels {
    RedisSentinels::start(1, 1, &[], "").await
}

fn connect(watched: &RedisSentinels) -> RedisStore {
    // The first of the Sentinels is not running: no server listens at its address.
    let url = watched.url().replacen("://", "://127.0.0.1:9,", 1);
    RedisStore::connect(&url, Duration::from_secs(1)).expect("a good address")
}

/// Whether the server answers that it has this role. A server that changes its role cuts its connections, so that no answer is no error.
fn role(server: &RedisServer, role: &str) -> Option<()> {
    server.try_cli(&["ROLE"]).filter(|answer| answer.starts_with(role)).map(|_| ())
}

const KEY: &str = "lc:{b104}:t:counter-watched";

async fn bump(store: &RedisStore) -> Option<i64> {
    add(store, None).await.map(|(value, _)| value)
}

/// Adds 1. Returns what was answered, and whether that is the answer to an earlier use of the key.
async fn add(store: &RedisStore, key: Option<&str>) -> Option<(i64, bool)> {
    let topic: Topic = "counter-watched".parse().expect("a topic");
    let key = key.map(|key| key.parse().expect("a key"));
    let added = store.write(vec![Write::add(topic, 1, key)]).await.remove(0).ok();
    added.map(|added| (added.value, added.replayed))
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
    watched.until_master_other_than(Some(0)).await;
    assert_eq!(eventually("the new master to be found", async || bump(&store).await).await, 2);
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

#[tokio::test]
async fn a_key_that_the_new_master_has_counts_once_and_a_lost_one_counts_again() {
    let mut watched = start().await;
    let store = connect(&watched);
    assert_eq!(add(&store, Some("kept")).await, Some((1, false)));
    until_caught_up(&watched.servers[0]).await;
    watched.part_with_replicas();
    assert_eq!(add(&store, Some("lost")).await, Some((2, false)));
    watched.servers[0].kill();
    watched.until_master_other_than(Some(0)).await;
    let kept = eventually("the new master to be found", async || add(&store, Some("kept")).await);
    assert_eq!(kept.await, (1, true));
    assert_eq!(
        add(&store, Some("lost")).await,
        Some((2, false)),
        "the new master knows nothing of its first use"
    );
    assert_eq!(add(&store, Some("lost")).await, Some((2, true)));
}

#[tokio::test]
async fn without_sentinels_the_master_is_used_while_its_connection_lasts() {
    let mut watched = start().await;
    let store = connect(&watched);
    let mut counted = bump(&store).await.expect("counted");
    watched.sentinels[0].kill();
    // The store asks for the master once a second.
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(3) {
        assert_eq!(bump(&store).await, Some(counted + 1));
        counted += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    watched.servers[0].cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    eventually("the connection to be lost", async || bump(&store).await.is_none().then_some(())).await;
    assert_eq!(bump(&store).await, None, "only a Sentinel says which server is the master");
    watched.sentinels[0].run();
    let again = eventually("the Sentinel to be asked", async || bump(&store).await).await;
    assert_eq!(watched.servers[0].cli(&["HGET", KEY, "v"]), again.to_string());
}
