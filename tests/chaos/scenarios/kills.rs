//! Origins and proxies that are killed, `kill -9`.

use std::time::Duration;

use crate::fault_proxy::Fault;
use crate::listeners::Seen;
use crate::sse::AFTER_A_START_OF_PUSHPIN;
use crate::start::Shape;
use crate::world::{End, SETTLED_WITHIN, World, until};

/// A lease (6 s) and a sweep (1 s), and some seconds more for a busy machine.
const AFTER_A_LEASE: Duration = Duration::from_secs(10);

/// A world without writers, in which every listener has seen the first value. POSTs go to the origin that will be killed.
async fn quiet(interval: Duration) -> World {
    let world = World::start(Shape { writers: 0, interval, ..Shape::default() }).await;
    world.add("a").await;
    until("every listener to see the value", SETTLED_WITHIN, async || world.behind().await, |n| n == 0).await;
    until("no claim under way", SETTLED_WITHIN, async || world.marks().await, |n| n == 0).await;
    world
}

async fn post(world: &World, origin: usize) {
    let base = world.origins[origin].url("");
    world.writers.add(&base, "a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_origin_announces_for_one_killed_between_increment_and_claim() {
    // The gate is shut after the first change, so the second change is counted but not claimed.
    let mut world = quiet(Duration::from_secs(4)).await;
    for _ in 0..2 {
        post(&world, 0).await;
        world.hit_all(&world.origins[0].url("")).await;
        world.drop_to_all(&world.origins[0].url("")).await;
    }
    world.origins[0].kill();
    let swept = async || world.origins[1].metric("swept_topics_total").await as i64;
    until("the sweep of the other origin", AFTER_A_LEASE, swept, |count| count > 0).await;
    world.end(End { within: AFTER_A_LEASE, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_origin_announces_for_one_killed_between_claim_and_purge() {
    let mut world = quiet(Duration::from_millis(250)).await;
    world.purges.next(1, Fault::Hold);
    post(&world, 0).await;
    world.purges.until_held(SETTLED_WITHIN).await;
    world.origins[0].kill();
    world.purges.discard();
    world.end(End { within: AFTER_A_LEASE, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_origin_announces_for_one_killed_between_purge_and_publish() {
    let mut world = quiet(Duration::from_millis(250)).await;
    world.controls[0].next(1, Fault::Hold);
    post(&world, 0).await;
    world.controls[0].until_held(SETTLED_WITHIN).await;
    world.origins[0].kill();
    world.controls[0].discard();
    world.end(End { within: AFTER_A_LEASE, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_and_fields_that_a_killed_origin_had_claimed_are_shown() {
    let mut world = quiet(Duration::from_millis(250)).await;
    world.drop_to_all(&world.origins[1].url("")).await;
    until("no claim under way", SETTLED_WITHIN, async || world.marks().await, |n| n == 0).await;
    world.controls[0].all(Fault::Hold);
    world.drop_to_all(&world.origins[0].url("")).await;
    world.controls[0].until_held(SETTLED_WITHIN).await;
    world.origins[0].kill();
    world.controls[0].discard();
    world.controls[0].all(Fault::None);
    world.drop_to_all(&world.origins[1].url("")).await;
    world.end(End { within: AFTER_A_LEASE, late: AFTER_A_LEASE, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_lone_origin_had_counted_is_announced_when_it_is_back() {
    let shape = Shape { origins: 1, writers: 0, ..Shape::default() };
    let mut world = World::start(shape).await;
    world.controls[0].next(1, Fault::Hold);
    post(&world, 0).await;
    world.controls[0].until_held(SETTLED_WITHIN).await;
    world.origins[0].kill();
    world.controls[0].discard();
    world.origins[0].run().await;
    world.end(End { within: AFTER_A_LEASE, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn origins_killed_in_turn_under_load_lose_and_double_nothing() {
    let mut world = World::start(Shape { origins: 3, ..Shape::default() }).await;
    for origin in 0..3 {
        world.write_on(30).await;
        world.origins[origin].kill();
        world.write_on(30).await;
        world.origins[origin].run().await;
    }
    world.end(End { within: AFTER_A_LEASE, late: AFTER_A_LEASE, ambiguous: true, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn listeners_of_a_killed_proxy_return_to_it_and_see_the_last_value() {
    let mut world = World::start(Shape { pushpins: 2, ..Shape::default() }).await;
    world.write_on(50).await;
    world.pushpins[0].kill().await;
    world.write_on(30).await;
    world.pushpins[0].start_again().await;
    world.write_on(50).await;
    let (within, late) = (AFTER_A_START_OF_PUSHPIN, AFTER_A_LEASE);
    world.end(End { within, late, ambiguous: true, ..End::default() }).await;
    let stayed = |seen: &Seen| seen.proxy == 0 && seen.connections == 1;
    assert!(!world.listeners.seen().iter().any(stayed), "all of its listeners");
}
