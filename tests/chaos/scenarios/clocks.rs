//! Origins with wrong clocks. Redis's clock measures gates, leases and sweeps. An origin uses its own clock only to check
//! how long the proxy's signature is valid, and to say until when its own token for publishing is.

use std::time::Duration;

use crate::start::Shape;
use crate::support::sse::Listener;
use crate::world::{End, SETTLED_WITHIN, World, until};

/// Runs a world in which the clock of the first origin is wrong by this offset.
async fn with_clock(offset: &'static str) {
    let mut world = World::start(Shape::default()).await;
    world.write_on(30).await;
    world.origins[0].kill();
    world.origins[0].set_clock(offset);
    world.origins[0].run().await;
    world.write_on(100).await;
    // From now on the origin with the wrong clock serves all requests.
    world.origins[1].kill();
    world.write_on(50).await;
    world
        .end(End {
            within: Duration::from_secs(10),
            late: Duration::from_secs(10),
            ambiguous: true,
            ..End::default()
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_origin_whose_clock_is_hours_behind_does_as_the_others() {
    with_clock("-3h").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_origin_whose_clock_is_an_hour_ahead_does_as_the_others() {
    // Pushpin's signatures are valid for an hour.
    with_clock("+1h").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_origin_an_hour_ahead_counts_and_announces_but_opens_no_streams() {
    let mut world = World::start(Shape { writers: 0, ..Shape::default() }).await;
    world.origins[0].kill();
    world.origins[0].set_clock("+2h");
    world.origins[0].run().await;
    let ahead = world.origins[0].url("");
    world.writers.add(&ahead, "a").await;
    world.origins[1].kill();
    world.cache.purge("counter-a").await;
    let proxy = world.pushpins[0].addr();
    // For a moment the cache may still ask the origin that was killed.
    let status = async || i64::from(Listener::connect(proxy, "/counters/a/").await.status());
    until("the refusal", SETTLED_WITHIN, status, |status| status == 501).await;
    assert!(world.origins[0].metric(r#"status="501""#).await > 0.0);
    world.origins[1].run().await;
    // The origin has also refused recoveries. Pushpin repeats them after 1, 2, 4, 8 and 16 s, each with up to a second more. As the cache
    // asks the origins in turn, most of them soon go to the other one.
    let within = Duration::from_secs(36);
    let few = world.listeners.seen().len() as i64 / 10;
    let behind = async || world.behind().await;
    until("most listeners to see the last value", within, behind, |behind| behind <= few).await;
    // By chance, all tries of a stream may go to the wrong one, until its clock is set.
    world.origins[0].kill();
    world.origins[0].set_clock("+0h");
    world.origins[0].run().await;
    world.end(End { within, ..End::default() }).await;
}
