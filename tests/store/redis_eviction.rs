//! Whether servers say that they would remove keys by themselves.

use std::time::Duration;

use livecounter::store::redis::RedisStore;

use crate::support::redis::RedisServer;
use crate::support::redis_cluster::RedisCluster;

async fn policies(url: &str) -> Vec<String> {
    let store = RedisStore::connect(url, Duration::from_secs(10)).expect("a good address");
    store.evicting_policies().await.expect("an answer")
}

#[tokio::test]
async fn a_redis_with_bounded_memory_tells_whether_it_would_remove_keys() {
    let server = RedisServer::start();
    let set = |setting: &str, value: &str| assert_eq!(server.cli(&["CONFIG", "SET", setting, value]), "OK");
    set("maxmemory-policy", "allkeys-lfu");
    assert_eq!(policies(&server.url()).await, [""; 0], "without maxmemory nothing is removed");
    set("maxmemory", "100mb");
    assert_eq!(policies(&server.url()).await, ["allkeys-lfu"]);
    set("maxmemory-policy", "noeviction");
    assert_eq!(policies(&server.url()).await, [""; 0]);
}

#[tokio::test]
async fn one_node_of_a_cluster_that_would_remove_keys_is_noticed() {
    let cluster = RedisCluster::start(3, 0, &["--maxmemory 100mb"]).await;
    assert_eq!(policies(&cluster.url()).await, [""; 0]);
    cluster.nodes[1].cli(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]);
    assert_eq!(policies(&cluster.url()).await, ["volatile-ttl"]);
}
