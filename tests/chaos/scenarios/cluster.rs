//! A Redis Cluster: nodes are killed, and slots move.

use std::time::Duration;

use livecounter::domain::Topic;

use crate::routes::Target;
use crate::start::Shape;
use crate::support::redis::{reached, until_caught_up};
use crate::support::redis_cluster::RedisCluster;
use crate::world::{End, Lost, World};

/// If the answer to a claim is lost, the topic is claimed again after the lease (6 s) and the next sweep (1 s).
pub(super) const AFTER_A_LEASE: Duration = Duration::from_secs(10);
/// How long a fail-over may keep a publish under way.
pub(super) const LATE: Duration = Duration::from_secs(20);
/// In how many steps the keys of a moving slot move.
pub(super) const STEPS: usize = 6;
/// How long they are spread over two nodes before each step.
pub(super) const BETWEEN: Duration = Duration::from_millis(10);

pub(super) fn slot(cluster: &RedisCluster, counter: &str) -> u16 {
    let topic: Topic = format!("counter-{counter}").parse().expect("a topic");
    cluster.slot(&topic)
}

/// Kills the master that has the counter. Returns the number of that node when its replica has become the master.
pub(super) async fn kill_master_of(cluster: &mut RedisCluster, counter: &str) -> usize {
    let slot = slot(cluster, counter);
    let master = cluster.owner(slot).expect("a master");
    cluster.nodes[master].kill();
    reached("the replica to take over", || cluster.owner(slot).is_some()).await;
    master
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn masters_killed_under_load_lose_and_double_nothing_their_replica_had() {
    let redis = RedisCluster::start(3, 1, &[]).await;
    let mut world = World::start_on(redis, Shape { wait_replicas: 1, ..Shape::default() }).await;
    for counter in ["a", "b"] {
        world.write_on(50).await;
        let killed = kill_master_of(&mut world.redis, counter).await;
        world.redis.nodes[killed].run();
        world.redis.until_in_step(1).await;
    }
    world.write_on(50).await;
    // A killed master may have published additions that it had not acknowledged yet, as its replica did not have them.
    let (within, lost) = (AFTER_A_LEASE, Lost::Unacknowledged);
    world.end(End { within, late: LATE, ambiguous: true, lost, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_master_killed_ahead_of_its_replica_loses_only_what_was_ahead() {
    let redis = RedisCluster::start(3, 1, &[]).await;
    let mut world = World::start_on(redis, Shape::default()).await;
    world.write_on(50).await;
    let slot = slot(&world.redis, "a");
    let (master, before) = (world.redis.owner(slot).expect("a master"), world.acknowledged());
    until_caught_up(&world.redis.nodes[master]).await;
    world.redis.part_with_replicas(master);
    world.write_on(100).await;
    let killed = kill_master_of(&mut world.redis, "a").await;
    let most = world.at_risk_since(before);
    world.write_on(50).await;
    world.redis.nodes[killed].run();
    world.redis.until_in_step(1).await;
    world.write_on(50).await;
    // The gates of the lost changes are lost as well.
    let (within, lost) = (AFTER_A_LEASE, Lost::Acknowledged { least: 1, most });
    world.end(End { within, late: LATE, memories: 1, ambiguous: true, lost, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn masters_that_hand_over_under_load_lose_refuse_and_double_nothing() {
    let redis = RedisCluster::start(3, 1, &[]).await;
    let mut world = World::start_on(redis, Shape::default()).await;
    for counter in ["a", "b", "c"] {
        world.write_on(50).await;
        world.redis.hand_over(slot(&world.redis, counter)).await;
    }
    world.write_on(50).await;
    world.end(End { within: AFTER_A_LEASE, late: LATE, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn slots_that_move_back_and_forth_under_load_lose_and_double_nothing() {
    let redis = RedisCluster::start(3, 0, &[]).await;
    let mut world = World::start_on(redis, Shape::default()).await;
    for _ in 0..2 {
        let counters = world.counters.iter().map(|counter| format!("counter-{counter}"));
        let routes = Target::ALL.into_iter().take(3).map(Target::name);
        let topics: Vec<Topic> = counters.chain(routes).map(|name| name.parse().expect("a topic")).collect();
        for topic in topics {
            let slot = world.redis.slot(&topic);
            let to = (world.redis.owner(slot).expect("a master") + 1) % 3;
            world.redis.move_slot(slot, to, STEPS, async || tokio::time::sleep(BETWEEN).await).await;
            world.write_on(20).await;
        }
    }
    world.end(End::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn slots_moved_by_command_under_load_lose_refuse_and_double_nothing() {
    let redis = RedisCluster::start(3, 0, &[]).await;
    let mut world = World::start_on(redis, Shape::default()).await;
    world.write_on(50).await;
    // The counter nearest to the beginning of its master's slots is taken, so that fewer slots move.
    let slots = world.counters.iter().map(|counter| slot(&world.redis, counter));
    let slot = slots.min_by_key(|&slot| world.redis.slots_before(slot)).expect("a counter");
    for _ in 0..3 {
        let to = (world.redis.owner(slot).expect("a master") + 1) % 3;
        world.redis.reshard(slot, to).await;
        assert!(world.redis.owns(to, slot));
        world.write_on(20).await;
    }
    world.end(End::default()).await;
}
