//! A master of a Cluster that still runs, but is paused for a while, or is cut off from the nodes but not from the origins.

use super::cluster::{AFTER_A_LEASE, LATE, slot};
use crate::network::PartedCluster;
use crate::start::Shape;
use crate::support::redis::{reached, until_caught_up};
use crate::support::redis_cluster::RedisCluster;
use crate::world::{End, Lost, World};

/// Pauses the counter's master until its replica has taken over. Then the old master runs on.
pub(super) async fn pause_master_of(cluster: &mut RedisCluster, counter: &str) {
    let slot = slot(cluster, counter);
    let master = cluster.owner(slot).expect("a master");
    cluster.nodes[master].pause();
    reached("the replica to take over", || cluster.owner(slot).is_some()).await;
    cluster.nodes[master].resume();
    reached("the old master to follow", || !cluster.owns(master, slot)).await;
}

/// Cuts the counter's master off from all nodes until its replica has taken over and the old master has noticed that it is
/// alone. Calls `alone` at the end of the cut. Then all nodes reach each other again.
pub(super) async fn cut_off_master_of(parted: &PartedCluster, counter: &str, alone: impl FnOnce()) {
    let slot = slot(&parted.cluster, counter);
    let master = parted.cluster.owner(slot).expect("a master");
    let replica = parted.cluster.replica_of(master);
    parted.network.part(&[master]);
    let state = || parted.cluster.nodes[master].cli(&["CLUSTER", "INFO"]);
    reached("the master to refuse", || state().contains("cluster_state:fail")).await;
    alone();
    reached("the replica to take over", || parted.cluster.owns(replica, slot)).await;
    parted.network.join();
    reached("the old master to follow", || !parted.cluster.owns(master, slot)).await;
}

fn ended(lost: Lost) -> End {
    End { within: AFTER_A_LEASE, late: LATE, ambiguous: true, lost, apart: true, ..End::default() }
}

async fn paused(wait_replicas: u32) -> (World<RedisCluster>, i64) {
    let redis = RedisCluster::start(3, 1, &[]).await;
    let mut world = World::start_on(redis, Shape { wait_replicas, ..Shape::default() }).await;
    world.write_on(50).await;
    let (before, master) = (world.acknowledged(), world.redis.owner(slot(&world.redis, "a")));
    until_caught_up(&world.redis.nodes[master.expect("a master")]).await;
    pause_master_of(&mut world.redis, "a").await;
    let most = world.at_risk_since(before);
    world.redis.until_in_step(1).await;
    world.write_on(50).await;
    (world, most)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_master_that_wakes_up_replaced_lost_nothing_that_its_replica_had() {
    let (mut world, _) = paused(1).await;
    world.end(ended(Lost::Unacknowledged)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_master_that_wakes_up_replaced_loses_only_what_it_answered_meanwhile() {
    let (mut world, most) = paused(0).await;
    world.end(ended(Lost::Acknowledged { least: 0, most })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cut_off_master_refuses_in_time_and_loses_only_what_it_answered() {
    let redis = PartedCluster::start(3, 1, &[]).await;
    let mut world = World::start_on(redis, Shape::default()).await;
    world.write_on(50).await;
    let (before, cluster) = (world.acknowledged(), &world.redis.cluster);
    until_caught_up(&cluster.nodes[cluster.owner(slot(cluster, "a")).expect("a master")]).await;
    let mut most = 0;
    cut_off_master_of(&world.redis, "a", || most = world.at_risk_since(before)).await;
    world.redis.cluster.until_in_step(1).await;
    world.write_on(50).await;
    world.end(ended(Lost::Acknowledged { least: 1, most })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cut_off_master_acknowledges_nothing_that_its_replica_must_have() {
    let redis = PartedCluster::start(3, 1, &[]).await;
    let mut world = World::start_on(redis, Shape { wait_replicas: 1, ..Shape::default() }).await;
    for counter in ["a", "b"] {
        world.write_on(50).await;
        cut_off_master_of(&world.redis, counter, || {}).await;
        world.redis.cluster.until_in_step(1).await;
    }
    world.write_on(50).await;
    world.end(ended(Lost::Unacknowledged)).await;
}
