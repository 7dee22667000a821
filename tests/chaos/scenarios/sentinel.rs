//! A master with replicas and Sentinels, and its fail-overs.

use std::time::Duration;

use crate::start::Shape;
use crate::support::redis_sentinels::RedisSentinels;
use crate::world::{End, Lost, SETTLED_WITHIN, World, until};

/// The last values that listeners have seen may be lost ones. Pushpin asks for such listeners after 15 to 30 s of silence.
pub(super) const AFTER_SILENCE: Duration = Duration::from_secs(32);
/// If the answer to a claim is lost, the topic is claimed again after the lease (6 s) and the next sweep (1 s).
pub(super) const AFTER_A_LEASE: Duration = Duration::from_secs(10);
/// How long a fail-over may keep a publish under way.
pub(super) const LATE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_master_killed_under_load_loses_and_doubles_nothing_a_replica_had() {
    // One of two replicas must have an addition: the Sentinels promote the replica that has most.
    let redis = RedisSentinels::start(2, 3, &[], "").await;
    let mut world = World::start_on(redis, Shape { wait_replicas: 1, ..Shape::default() }).await;
    world.write_on(50).await;
    world.redis.servers[0].kill();
    world.redis.until_master_other_than(Some(0)).await;
    world.redis.until_in_step(1).await;
    world.write_on(50).await;
    world.redis.servers[0].run();
    world.redis.until_in_step(2).await;
    world.write_on(50).await;
    // The killed master may have published additions that it had not acknowledged yet, as no replica had them.
    let (within, lost) = (AFTER_A_LEASE, Lost::Unacknowledged);
    world.end(End { within, late: LATE, ambiguous: true, lost, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_commanded_fail_over_loses_and_doubles_nothing_all_replicas_had() {
    // Both replicas must have an addition: the old master and the replica that is not promoted work on for some seconds.
    let redis = RedisSentinels::start(2, 3, &[], "").await;
    let mut world = World::start_on(redis, Shape { wait_replicas: 2, ..Shape::default() }).await;
    world.write_on(50).await;
    world.redis.fail_over().await;
    world.redis.until_in_step(2).await;
    world.write_on(50).await;
    // The old master may have published additions that it then did not acknowledge.
    let (within, lost) = (AFTER_A_LEASE, Lost::Unacknowledged);
    world.end(End { within, late: LATE, ambiguous: true, lost, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_revision_used_again_after_a_loss_leaves_no_listener_on_a_lost_value() {
    let redis = RedisSentinels::start(1, 1, &[], "").await;
    let mut world = World::start_on(redis, Shape { writers: 0, ..Shape::default() }).await;
    world.add("a").await;
    until("every listener to see the value", SETTLED_WITHIN, async || world.behind().await, |n| n == 0).await;
    until("no claim under way", SETTLED_WITHIN, async || world.marks().await, |n| n == 0).await;
    world.redis.part_with_replicas();
    assert_eq!(world.writers.add_by(&world.origins[0].url(""), "a", 5).await, 6);
    until("every listener to see the value", SETTLED_WITHIN, async || world.behind().await, |n| n == 0).await;
    world.redis.servers[0].kill();
    world.redis.until_master_other_than(Some(0)).await;
    assert_eq!(world.value("a").await, 1, "it is lost");
    // The new master gives the second revision to another value.
    until("the origins to follow", SETTLED_WITHIN, async || world.refused().await, |n| n == 0).await;
    assert_eq!(world.add("a").await, 2);
    world.every_listener_sees_the_last_value(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_only_the_lost_master_knew_is_taken_back_from_every_listener() {
    let redis = RedisSentinels::start(1, 1, &[], "").await;
    let mut world = World::start_on(redis, Shape { writers: 0, ..Shape::default() }).await;
    world.add("a").await;
    world.drop_to_all(&world.origins[0].url("")).await;
    until("no claim under way", SETTLED_WITHIN, async || world.marks().await, |n| n == 0).await;
    world.redis.part_with_replicas();
    for _ in 0..3 {
        world.add("a").await;
        world.drop_to_all(&world.origins[0].url("")).await;
    }
    until("every listener to see the value", SETTLED_WITHIN, async || world.behind().await, |n| n == 0).await;
    let base = world.origins[0].url("");
    until("the last events", SETTLED_WITHIN, async || world.routes.behind(&base).await, |n| n == 0).await;
    world.redis.servers[0].kill();
    world.redis.until_master_other_than(Some(0)).await;
    // Nothing changes any more.
    let lost = Lost::Acknowledged { least: 3, most: 3 };
    world.end(End { within: AFTER_SILENCE, late: LATE, lost, ..End::default() }).await;
}
