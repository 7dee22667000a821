//! A master behind Sentinels that still runs, but is paused for a while, or is reached by some servers and not by others.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::sentinel::{AFTER_A_LEASE, AFTER_SILENCE, LATE};
use crate::listeners::Seen;
use crate::network::PartedSentinels;
use crate::start::Shape;
use crate::support::http::client;
use crate::support::redis::until_caught_up;
use crate::support::redis_sentinels::RedisSentinels;
use crate::world::{End, Lost, World, until};

const SOON: Duration = Duration::from_secs(15);

/// Pauses the master until another server is the master. Then the old one runs on.
async fn paused(wait_replicas: u32) -> (World<RedisSentinels>, i64) {
    let redis = RedisSentinels::start(2, 3, &[], "").await;
    let mut world = World::start_on(redis, Shape { wait_replicas, ..Shape::default() }).await;
    world.write_on(50).await;
    let before = world.acknowledged();
    until_caught_up(&world.redis.servers[0]).await;
    world.redis.servers[0].pause();
    world.redis.until_master_other_than(Some(0)).await;
    world.redis.servers[0].resume();
    world.redis.until_in_step(2).await;
    let most = world.at_risk_since(before);
    world.write_on(50).await;
    (world, most)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_master_that_wakes_up_replaced_lost_nothing_that_a_replica_had() {
    let (mut world, _) = paused(1).await;
    let (within, lost) = (AFTER_A_LEASE, Lost::Unacknowledged);
    world.end(End { within, late: LATE, ambiguous: true, lost, apart: true, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_master_that_wakes_up_replaced_loses_only_what_it_answered_meanwhile() {
    let (mut world, most) = paused(0).await;
    let (within, lost) = (AFTER_A_LEASE, Lost::Acknowledged { least: 0, most });
    world.end(End { within, late: LATE, ambiguous: true, lost, apart: true, ..End::default() }).await;
}

/// The setting by which an addition must be on a number of replicas.
struct Demands {
    wait_replicas: u32,
    settings: &'static [&'static str],
}

/// A world in which the master, some of its replicas and the first origin are cut off from the other servers, which have
/// elected a new master. Also returns the number of answered POSTs that all replicas have.
async fn parted(demands: Demands, side: &[usize], writers: usize) -> (World<PartedSentinels>, i64) {
    let Demands { wait_replicas, settings } = demands;
    let redis = PartedSentinels::start(2, settings).await;
    let shape = Shape { wait_replicas, writers, ..Shape::default() };
    let world = World::start_on(redis, shape).await;
    if writers == 0 {
        world.add("a").await;
        until("no claim under way", SOON, async || world.marks().await, |n| n == 0).await;
    } else {
        world.write_on(50).await;
    }
    let before = world.acknowledged();
    until_caught_up(&world.redis.watched.servers[0]).await;
    world.redis.part_with_first_origin(side);
    world.redis.watched.until_master_other_than(Some(0)).await;
    (world, before)
}

/// The counter's value that the origin answers.
async fn value_at(world: &World<PartedSentinels>, origin: usize) -> Option<i64> {
    let answer = client().get(world.origins[origin].url("/counters/a/")).send().await.ok()?;
    answer.text().await.ok()?.trim().parse().ok()
}

/// Adds 5 by way of the first origin until the other origin, asked later, answers less: then it uses the new master.
async fn until_two_masters_answer(world: &World<PartedSentinels>) {
    let apart = async || {
        world.writers.try_add_by(&world.origins[0].url(""), "a", 5).await;
        let (first, other) = (value_at(world, 0).await, value_at(world, 1).await);
        i64::from(first.zip(other).is_some_and(|(first, other)| other < first))
    };
    until("the other origin to follow the new master", SOON, apart, |apart| apart == 1).await;
}

/// Adds 5 by way of the first origin until every listener has received the sum. Returns the sum. This may take several
/// additions: either origin answers recoveries, and the other one answers with the value of its own master.
async fn show_to_every_listener(world: &World<PartedSentinels>) -> i64 {
    let deadline = Instant::now() + 4 * SOON;
    loop {
        let last = world.writers.add_by(&world.origins[0].url(""), "a", 5).await;
        let shown = async {
            let seen = |seen: &Seen| seen.name != "a" || seen.last.as_ref().is_some_and(|it| it.2 == last);
            while !world.listeners.seen().iter().all(seen) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(Duration::from_secs(4), shown).await.is_ok() {
            return last;
        }
        assert!(Instant::now() < deadline, "listeners are not shown {last}");
    }
}

/// Ends the partition. Returns when the old master has become a replica.
async fn rejoin(world: &World<PartedSentinels>) {
    world.redis.join();
    world.redis.watched.until_in_step(2).await;
}

fn ended(lost: Lost) -> End {
    End { within: AFTER_A_LEASE, late: LATE, ambiguous: true, lost, apart: true, ..End::default() }
}

const NO_DEMANDS: Demands = Demands { wait_replicas: 0, settings: &[] };

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_two_masters_the_cut_off_ones_part_is_lost_and_all_end_on_the_others() {
    let (mut world, before) = parted(NO_DEMANDS, &[0], 6).await;
    until_two_masters_answer(&world).await;
    // Both sides give the same revisions to different values.
    for counter in world.counters.clone() {
        for _ in 0..5 {
            world.writers.add_by(&world.origins[0].url(""), &counter, 5).await;
            world.writers.add(&world.origins[1].url(""), &counter).await;
        }
    }
    rejoin(&world).await;
    let (least, most) = (15, world.at_risk_since(before));
    world.write_on(50).await;
    world.end(ended(Lost::Acknowledged { least, most })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn streams_and_the_cache_take_back_what_a_cut_off_master_counted() {
    let (mut world, _) = parted(NO_DEMANDS, &[0], 0).await;
    until_two_masters_answer(&world).await;
    // Both sides change the counter. The last values that listeners receive come from the side that will be lost.
    world.writers.add(&world.origins[1].url(""), "a").await;
    until("the change to be announced", SOON, async || world.marks().await, |n| n == 0).await;
    let last = show_to_every_listener(&world).await;
    let cached = async || {
        // The cache asks the origins in turn.
        world.cache.purge("counter-a").await;
        i64::from(world.cached("a").await == Some(last))
    };
    until("the cache to have the value", SOON, cached, |cached| cached == 1).await;
    // Every value but the first and that of the new master is lost.
    let lost = world.writers.told()["a"].values.len() as i64 - 2;
    rejoin(&world).await;
    until("streams to go back", AFTER_SILENCE, async || world.behind().await, |n| n == 0).await;
    world.add("a").await;
    let lost = Lost::Acknowledged { least: lost, most: lost };
    world.end(ended(lost)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cut_off_master_acknowledges_nothing_that_replicas_beyond_must_have() {
    let (mut world, _) = parted(Demands { wait_replicas: 1, ..NO_DEMANDS }, &[0], 12).await;
    until_two_masters_answer(&world).await;
    assert_eq!(world.writers.try_add_by(&world.origins[0].url(""), "a", 5).await, None);
    world.write_on(50).await;
    rejoin(&world).await;
    world.write_on(50).await;
    world.end(ended(Lost::Unacknowledged)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_master_cut_off_with_one_replica_acknowledges_nothing_both_must_have() {
    let (mut world, _) = parted(Demands { wait_replicas: 2, ..NO_DEMANDS }, &[0, 1], 6).await;
    until_two_masters_answer(&world).await;
    assert_eq!(world.writers.try_add_by(&world.origins[0].url(""), "a", 5).await, None);
    rejoin(&world).await;
    world.write_on(50).await;
    world.end(ended(Lost::Unacknowledged)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cut_off_master_that_demands_replicas_refuses_within_seconds() {
    let settings = &["--min-replicas-to-write 1", "--min-replicas-max-lag 2"];
    let (mut world, before) = parted(Demands { wait_replicas: 0, settings }, &[0], 6).await;
    let base = world.origins[0].url("");
    let refused = async || i64::from(world.writers.try_add_by(&base, "a", 5).await.is_none());
    until("the refusal", Duration::from_secs(6), refused, |refused| refused == 1).await;
    let most = world.at_risk_since(before);
    for _ in 0..3 {
        world.write_on(20).await;
        assert_eq!(world.writers.try_add_by(&base, "a", 5).await, None);
    }
    rejoin(&world).await;
    world.write_on(50).await;
    world.end(ended(Lost::Acknowledged { least: 1, most })).await;
}
