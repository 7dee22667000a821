//! Faults between the origins and Pushpin's control port.

use std::time::Duration;

use crate::fault_proxy::Fault;
use crate::order::Change;
use crate::start::Shape;
use crate::world::{End, SETTLED_WITHIN, World, until};

/// The number of additions in a scenario before it ends.
const SOME: usize = 150;

/// Runs a world in which every `every`th publish meets this fault while writers add.
async fn with_fault(every: usize, fault: Fault, end: End) {
    let mut world = World::start(Shape::default()).await;
    let mut count = 0;
    world.controls[0].plan(move |_| {
        count += 1;
        if count % every == 0 { fault } else { Fault::None }
    });
    world.write_on(SOME).await;
    world.controls[0].all(Fault::None);
    // After a loss the next change brings listeners up to date, so the last publish must not be lost here.
    world.last_changes().await;
    world.end(end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lost_publishes_heal_with_the_next_one() {
    with_fault(3, Fault::Lose, End::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lost_last_publish_heals_after_half_a_minute_of_silence() {
    let mut world = World::start(Shape { writers: 0, ..Shape::default() }).await;
    world.add("a").await;
    until("every listener to see the value", SETTLED_WITHIN, async || world.behind().await, |n| n == 0).await;
    world.controls[0].next(1, Fault::Lose);
    world.add("a").await;
    // Every 15 s, Pushpin asks for listeners that have received nothing since its last check: after 15 to 30 s of silence,
    // and the time of the fetches.
    world.end(End { within: Duration::from_secs(32), ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lost_publish_of_a_deletion_heals_after_half_a_minute_of_silence() {
    let mut world = World::start(Shape { writers: 0, ..Shape::default() }).await;
    world.change("m", Change::Set(26)).await;
    world.add("a").await;
    let behind = async || world.behind().await;
    until("every listener to see the values", SETTLED_WITHIN, behind, |n| n == 0).await;
    world.controls[0].next(1, Fault::Lose);
    world.change("m", Change::Delete).await;
    // Of the streams that show several counters, too, the proxy asks after a silence.
    world.end(End { within: Duration::from_secs(32), ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn delayed_publishes_overtake_nothing() {
    let late = Duration::from_millis(700);
    with_fault(2, Fault::Delay(late), End { late: 2 * late, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn publishes_that_arrive_after_their_origin_has_given_up_overtake_nothing() {
    // The origin gives up after 2 s and sends newer items. The delayed item arrives when it is old.
    let late = Duration::from_secs(4);
    with_fault(4, Fault::Delay(Duration::from_millis(2500)), End { late, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn repeated_publishes_are_shown_once() {
    with_fault(1, Fault::Repeat, End::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn publishes_that_cross_are_put_in_order() {
    let late = Duration::from_secs(2);
    with_fault(2, Fault::Swap, End { late, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn publishes_whose_answer_is_lost_are_repeated_and_shown_once() {
    with_fault(3, Fault::LoseAnswer, End { late: Duration::from_secs(2), ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn publishes_answered_500_are_tried_again_and_the_operator_is_told() {
    let mut world = World::start(Shape::default()).await;
    world.controls[0].all(Fault::Answer(500));
    world.write_on(100).await;
    let endpoint = world.controls[0].addr();
    for origin in &world.origins {
        let up = async || origin.metric(r#"endpoint_up{"#).await as i64;
        until("the metric to say that the endpoint is down", SETTLED_WITHIN, up, |up| up == 0).await;
        let told = format!("publishing to {endpoint}");
        let log = async || i64::from(origin.log().contains(&told));
        until("the log to say that publishing fails", SETTLED_WITHIN, log, |told| told == 1).await;
    }
    world.controls[0].all(Fault::None);
    world.logged(&format!("publishing to {endpoint} works again")).await;
    world.end(End { late: Duration::from_secs(10), ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_control_port_that_was_away_gets_the_newest_and_posts_did_not_wait() {
    let mut world = World::start(Shape::default()).await;
    world.controls[0].go_away();
    // Of six writers: if POSTs waited for deliveries, which are given up after 4 s, these would take 100 s and not be answered in time.
    world.write_on(SOME).await;
    // The port is away until the origins have given up deliveries (after 4 s). The topics stay in the outbox.
    let given_up = async || world.metric("announcements_given_up_total").await;
    until("deliveries to be given up", Duration::from_secs(10), given_up, |count| count > 0).await;
    world.logged("announcements do not get through to every proxy or the cache").await;
    world.controls[0].come_back().await;
    world.end(End { late: Duration::from_secs(20), ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_listeners_of_one_proxy_do_not_notice_that_another_is_unreachable() {
    let mut world = World::start(Shape { pushpins: 2, writers: 0, ..Shape::default() }).await;
    world.controls[1].go_away();
    for _ in 0..3 {
        world.add("a").await;
    }
    let value = world.value("a").await;
    let behind = async || {
        let seen = world.listeners.seen().into_iter().filter(|seen| seen.proxy == 0 && seen.name == "a");
        seen.filter(|seen| seen.value() != Some(value)).count() as i64
    };
    until("the first proxy's listeners to go on", Duration::from_secs(3), behind, |n| n == 0).await;
    world.controls[1].come_back().await;
    world.end(End { late: Duration::from_secs(10), ..End::default() }).await;
}
