//! Requests that fail: which are repeated, and what their items' publishers are told.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use super::*;
use crate::test_server::FreeAddress;

#[tokio::test]
async fn a_dead_endpoint_delays_no_healthy_one_and_fails_the_publish_in_time() {
    let server = TestServer::start(|_| OK).await;
    let silent = TestServer::start(|_| Answer::Silence).await;
    let options = PublisherOptions { give_up: Duration::from_secs(1), ..PublisherOptions::default() };
    let publisher = publisher_with(&[url(silent.address), url(server.address)], options);
    let start = Instant::now();
    for id in 1..=20 {
        drop(publisher.publish(vec![item("a", id)]));
        until("the healthy one has it", || all_items(&server).len() as u64 == id).await;
    }
    // The first request to the silent one takes two seconds.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let start = Instant::now();
    let error = publisher.publish(vec![item("b", 1)]).await.expect_err("the silent one");
    assert_eq!(error.refusals, [(0, silent.address.to_string(), Refusal::TimedOut)]);
    assert_eq!(error.unaccepted(), [0]);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn one_bad_item_is_found_and_the_other_items_arrive() {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let server = TestServer::start(move |request| {
        if request.body.contains("bad") {
            return Answer::Status(400, "", "Bad format\n");
        }
        count.fetch_add(items(request).len(), SeqCst);
        OK
    })
    .await;
    let publisher = publisher(&[url(server.address)]);
    let name = |n: usize| if n == 37 { "bad".to_owned() } else { format!("c{n}") };
    let error =
        publisher.publish((0..100).map(|n| item(&name(n), 1)).collect()).await.expect_err("one is bad");
    assert_eq!(error.refusals, [(37, server.address.to_string(), Refusal::Status(400))]);
    assert_eq!(taken.load(SeqCst), 99);
    assert!(server.requests().len() < 30, "{} requests", server.requests().len());
    let state = &publisher.endpoint_states()[0];
    assert!(state.up && state.refused == 1 && state.published == 99, "{state:?}");
}

#[tokio::test]
async fn a_server_error_is_retried_and_so_is_a_refused_token() {
    for status in [500, 401, 302, 429] {
        let calls = AtomicUsize::new(0);
        let server = TestServer::start(move |_| match calls.fetch_add(1, SeqCst) {
            0 | 1 => Answer::Status(status, "Location: http://127.0.0.1:1/\r\n", ""),
            _ => OK,
        })
        .await;
        let publisher = publisher(&[url(server.address)]);
        publisher.publish(vec![item("a", 1)]).await.expect("accepted");
        assert_eq!(all_items(&server), ["a 1<0"; 3], "{status}");
        assert_eq!(publisher.endpoint_states()[0].failures, 2, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_pause_gets_it() {
    let calls = AtomicUsize::new(0);
    let server = TestServer::start(move |_| match calls.fetch_add(1, SeqCst) {
        0 => Answer::Status(503, "Retry-After: 1\r\n", ""),
        _ => OK,
    })
    .await;
    let start = Instant::now();
    publisher(&[url(server.address)]).publish(vec![item("a", 1)]).await.expect("accepted");
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_item_that_may_have_arrived_keeps_its_link_to_the_next() {
    let answers = Arc::new(AtomicBool::new(false));
    let may_answer = answers.clone();
    let server = TestServer::start(move |_| if may_answer.load(SeqCst) { OK } else { Answer::Hangup }).await;
    let publisher = publisher(&[url(server.address)]);
    let first = publisher.publish(vec![item("a", 5)]);
    until("an attempt has failed", || publisher.endpoint_states()[0].failures > 0).await;
    let second = publisher.publish(vec![item("a", 6)]);
    answers.store(true, SeqCst);
    let _ = (first.await.expect("accepted"), second.await.expect("accepted"));
    // An item is tried more often if the other comes late.
    let mut items = all_items(&server);
    items.dedup();
    assert_eq!(items, ["a 5<4", "a 6<5"]);
}

#[tokio::test]
async fn pending_items_get_through_when_the_endpoint_is_up_and_drop_ends_all() {
    let free = FreeAddress::reserve();
    let publisher = publisher(&[url(free.address)]);
    let waiting = publisher.publish(vec![item("a", 1)]);
    until("the attempt has failed", || publisher.endpoint_states()[0].failures > 0).await;
    let server = TestServer::start_at(free, |_| OK).await;
    waiting.await.expect("accepted");
    drop(server);
    let stranded = publisher.publish(vec![item("a", 2)]);
    drop(publisher);
    assert_eq!(stranded.await.expect_err("stopped").refusals[0].2, Refusal::Stopped);
}
