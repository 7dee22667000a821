//! Faults of Redis: it is killed, comes back empty, is slow, hangs, or is cut off.

use std::path::Path;
use std::time::Duration;

use crate::start::Shape;
use crate::wire::Mode;
use crate::world::{End, World, until};

/// If the answer to a claim is lost, the topic is claimed again after the lease (6 s) and the next sweep (1 s).
const AFTER_A_LEASE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn redis_killed_and_restarted_with_its_file_has_lost_and_doubled_nothing() {
    let mut world = World::start(Shape::default()).await;
    for _ in 0..2 {
        world.write_on(50).await;
        world.redis.server.kill();
        world.redis.server.run();
    }
    world.write_on(50).await;
    world.end(End { within: AFTER_A_LEASE, late: AFTER_A_LEASE, ambiguous: true, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn redis_restarted_empty_begins_a_new_epoch_and_listeners_go_on() {
    let mut world = World::start(Shape::default()).await;
    world.write_on(100).await;
    world.end(End::default()).await;
    let epochs = |world: &World| -> Vec<String> {
        world.listeners.seen().into_iter().filter_map(|seen| Some(seen.last?.0)).collect()
    };
    let (before, connections) = (epochs(&world), world.listeners.connections());
    let directory = world.redis.server.cli(&["CONFIG", "GET", "dir"]);
    let directory = directory.lines().last().expect("Redis's directory").to_owned();
    world.redis.server.kill();
    std::fs::remove_dir_all(Path::new(&directory).join("appendonlydir")).expect("to remove its file");
    world.begin_anew();
    world.redis.server.run();
    world.write_anew(6, 2);
    world.write_on(100).await;
    world.end(End { memories: 1, ..End::default() }).await;
    let after = epochs(&world);
    assert!(
        before.iter().zip(&after).all(|(before, after)| before != after),
        "every listener is in a new epoch"
    );
    assert_eq!(world.listeners.connections(), connections, "on the same stream");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn redis_slower_than_its_callers_wait_loses_and_doubles_nothing() {
    let mut world = World::start(Shape::default()).await;
    world.write_on(50).await;
    world.redis.wire.set(Mode::Slow(Duration::from_secs(2)));
    let failures = async || world.metric("announcer_store_failures_total").await;
    until("the metric to count the failures", Duration::from_secs(10), failures, |count| count >= 4).await;
    world.logged("failed with 503").await;
    world.redis.wire.set(Mode::Well);
    world.write_on(50).await;
    world.end(End { within: AFTER_A_LEASE, late: AFTER_A_LEASE, ambiguous: true, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn redis_that_hangs_and_goes_on_loses_and_doubles_nothing() {
    let mut world = World::start(Shape::default()).await;
    world.write_on(50).await;
    world.redis.wire.set(Mode::Hanging);
    // A POST is answered 503 after 2 s. Redis counts its addition when it runs on.
    let store_away = async || {
        let url = world.origins[0].url("/readyz");
        let answer = crate::support::http::client().get(url).send().await;
        i64::from(answer.is_ok_and(|answer| answer.status() == 503))
    };
    until("/readyz to say that the store is away", Duration::from_secs(10), store_away, |away| away == 1)
        .await;
    world.redis.wire.set(Mode::Well);
    world.write_on(50).await;
    world.end(End { within: AFTER_A_LEASE, late: AFTER_A_LEASE, ambiguous: true, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn connections_to_redis_that_are_cut_lose_and_double_nothing() {
    let mut world = World::start(Shape::default()).await;
    for _ in 0..10 {
        world.write_on(15).await;
        world.redis.wire.cut();
    }
    world.write_on(30).await;
    world.end(End { within: AFTER_A_LEASE, late: AFTER_A_LEASE, ambiguous: true, ..End::default() }).await;
}
