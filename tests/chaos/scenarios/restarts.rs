//! A new version of the origins: under load, one origin after the other gets SIGTERM, ends, and is started again.

use std::process::Command;
use std::time::Duration;

use crate::start::Shape;
use crate::world::{End, World, until};

const ORIGINS: usize = 3;
const SOON: Duration = Duration::from_secs(10);

async fn world() -> World {
    World::start(Shape { origins: ORIGINS, ..Shape::default() }).await
}

/// Waits until an origin is ready, and until the cache asks it again.
async fn back_in_rotation(world: &World, origin: usize) {
    let url = world.origins[origin].url("/readyz");
    let ready =
        async || i64::from(world.client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200));
    until("the origin to be ready", SOON, ready, |ready| ready == 1).await;
    let healthy = async || healthy(world);
    until("the cache to consider all origins healthy", SOON, healthy, |n| n == ORIGINS as i64).await;
}

fn varnishadm(world: &World, arguments: &[&str]) -> String {
    let state = world.cache.process().dir().join("run/state");
    let output = Command::new("varnishadm").arg("-n").arg(state).args(arguments).output();
    let output = output.expect("varnishadm, which comes with varnish");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The number of origins that the cache considers healthy.
fn healthy(world: &World) -> i64 {
    let list = varnishadm(world, &["backend.list"]);
    list.lines().filter(|line| line.contains("origin_") && line.contains("healthy")).count() as i64
}

/// How often each listener has connected when all are on streams that last. Pushpin 1.36 cancels some streams at their beginning
/// ("received message out of sequence").
async fn connections_that_last(world: &World) -> Vec<usize> {
    world.write_on(40).await;
    let left = async || world.listeners.seen().iter().filter(|seen| !seen.connected).count() as i64;
    until("every listener to be connected", SOON, left, |left| left == 0).await;
    world.listeners.connections()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn origins_restarted_one_by_one_lose_no_listener_and_no_increment() {
    let mut world = world().await;
    let before = connections_that_last(&world).await;
    for origin in 0..ORIGINS {
        world.write_on(40).await;
        world.origins[origin].stop().await;
        world.write_on(40).await;
        world.origins[origin].run().await;
        back_in_rotation(&world, origin).await;
    }
    // If the cache still sends a POST to the origin that has ended, the answer is 503: for the writer the outcome is unknown.
    world.end(End { within: SOON, late: SOON, ambiguous: true, ..End::default() }).await;
    assert_eq!(world.listeners.connections(), before, "every listener is on the stream it began with");
    assert!(world.listeners.seen().iter().all(|seen| seen.connected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn origins_out_of_rotation_before_their_restart_answer_every_post() {
    let mut world = world().await;
    let before = connections_that_last(&world).await;
    // The order is that of the addresses, which fastly/start sorts.
    let mut order: Vec<(String, usize)> =
        world.fetches.iter().enumerate().map(|(index, fetch)| (fetch.addr().to_string(), index)).collect();
    order.sort();
    for (place, (_, origin)) in order.into_iter().enumerate() {
        let backend = format!("*.origin_{place}");
        world.write_on(40).await;
        varnishadm(&world, &["backend.set_health", &backend, "sick"]);
        world.write_on(20).await;
        world.origins[origin].stop().await;
        world.write_on(20).await;
        world.origins[origin].run().await;
        varnishadm(&world, &["backend.set_health", &backend, "auto"]);
        back_in_rotation(&world, origin).await;
    }
    world.end(End { within: SOON, late: SOON, ..End::default() }).await;
    assert_eq!(world.listeners.connections(), before, "every listener is on the stream it began with");
}
