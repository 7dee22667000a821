//! Faults around the cache: purges that are lost, and a fetch that a purge does not stop.

use std::net::SocketAddr;
use std::time::Duration;

use crate::fault_proxy::Fault;
use crate::request::Request;
use crate::start::Shape;
use crate::support::http::{Ask, client};
use crate::support::sse::Listener;
use crate::world::{End, SETTLED_WITHIN, World, until};

const SOON: Duration = Duration::from_secs(5);

/// A world without writers. All listeners and the cache have the value 1 of counter `a`.
async fn settled() -> World {
    let world = World::start(Shape { writers: 0, ..Shape::default() }).await;
    world.add("a").await;
    world.every_listener_sees_the_last_value(SETTLED_WITHIN).await;
    until("no purge under way", SETTLED_WITHIN, async || world.marks().await, |n| n == 0).await;
    assert_eq!(world.cached("a").await, Some(1));
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lost_purge_is_made_good_by_the_second_one() {
    let mut world = settled().await;
    world.purges.next(1, Fault::Lose);
    world.add("a").await;
    let behind = async || world.behind().await;
    until("the listeners, which need no purge", Duration::from_secs(2), behind, |behind| behind == 0).await;
    world.end(End { within: Duration::from_secs(4), ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn listeners_through_a_cache_without_purges_are_up_to_date_in_seconds() {
    let world = settled().await;
    let joining = Listener::connect(world.pushpins[0].addr(), "/counters/a/").await;
    world.purges.all(Fault::Lose);
    world.add("a").await;
    let behind = async || world.behind().await;
    until("the listeners, which need no purge", SOON, behind, |behind| behind == 0).await;
    drop(joining);
    join_late(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_purge_that_fails_stays_in_the_outbox_until_it_succeeds() {
    let mut world = settled().await;
    world.purges.all(Fault::Answer(503));
    world.add("a").await;
    let failures = async || world.metric("purge_failures_total").await;
    until("the metric to count the failure", SETTLED_WITHIN, failures, |failures| failures > 0).await;
    let behind = async || world.behind().await;
    until("the listeners, which need no purge", SOON, behind, |behind| behind == 0).await;
    assert_eq!(world.marks().await, 1);
    world.logged("announcements do not get through to every proxy or the cache").await;
    world.purges.all(Fault::None);
    // The lease ends after 6 s, and an origin sweeps once a second.
    world.end(End { within: Duration::from_secs(9), ..End::default() }).await;
}

/// Lets several listeners join, as Pushpin stops comparing holds with its last item after the first difference.
async fn join_late(world: &World) {
    let mut joined = Vec::new();
    for _ in 0..5 {
        joined.push(Listener::connect(world.pushpins[0].addr(), "/counters/a/").await);
    }
    for listener in &mut joined {
        let seen = listener.until_data("2", SOON).await;
        assert!(seen.len() <= 2, "at most the cached value, then the present one: {seen:?}");
    }
}

/// The fault for a request: answers to new listeners and plain readers of counter `a` are held back.
fn hold_reads(request: &Request) -> Fault {
    let reads = request.method == "GET" && request.path == "/counters/a/";
    if reads { Fault::HoldAnswer } else { Fault::None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_fetch_during_the_purge_puts_the_old_value_back_for_at_most_2_s() {
    let mut world = settled().await;
    world.cache.purge("counter-a").await;
    world.fetches.iter().for_each(|fetches| fetches.plan(hold_reads));
    // Both requests get the answer 1 from an origin, but the fault proxy does not pass it on to the cache yet.
    let addr: SocketAddr = world.pushpins[0].addr();
    let joining = tokio::spawn(async move { Listener::connect(addr, "/counters/a/").await });
    let reading = tokio::spawn(client().get(world.cache.url("/counters/a/")).text());
    let held = async || world.fetches.iter().map(|fetches| fetches.held() as i64).sum();
    until("both answers to be held back", SETTLED_WITHIN, held, |held| held == 2).await;
    world.add("a").await;
    let behind = async || world.behind().await;
    until("the listeners, which need no fetch", SOON, behind, |behind| behind == 0).await;
    for fetches in &world.fetches {
        fetches.all(Fault::None);
        fetches.release();
    }
    assert_eq!(reading.await.expect("the reader"), "1\n");
    let mut joined = joining.await.expect("the listener");
    let seen = joined.until_data("2", SOON).await;
    assert_eq!(
        seen[0].data, "1",
        "first the value that the origin had answered, then the present one: {seen:?}"
    );
    join_late(&world).await;
    world.end(End { within: Duration::from_secs(4), ..End::default() }).await;
}
