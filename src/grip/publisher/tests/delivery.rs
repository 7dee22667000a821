//! The requests in which items are delivered.

use super::*;
use crate::test_server::FreeAddress;

#[tokio::test]
async fn a_publish_is_this_request() {
    let server = TestServer::start(|_| OK).await;
    let publisher =
        publisher(&[format!("http://{}/base/?iss=realm&key=a-secret-of-18-byt&x=1", server.address)]);
    publisher.publish(vec![item("a", 2)]).await.expect("accepted");
    let request = &server.requests()[0];
    assert_eq!(request.line, "POST /base/publish/?x=1 HTTP/1.1");
    assert_eq!(
        request.body,
        r#"{"items":[{"channel":"a","id":"2","prev-id":"1","formats":{"http-stream":{"content":"data: 2\n\n"}}}]}"#
    );
    assert_eq!(request.header("content-length"), Some(request.body.len().to_string().as_str()));
    assert_eq!(request.header("transfer-encoding"), None);
    assert_eq!(request.header("content-type"), Some("application/json"));
    let token = request.header("authorization").and_then(|v| v.strip_prefix("Bearer ")).expect("a bearer");
    let endpoint: Endpoint =
        "http://p/?verify-key=a-secret-of-18-byt&verify-iss=realm".parse().expect("an endpoint");
    assert_eq!(crate::grip::Verifier::new(&[endpoint]).verify(token), Ok(()));
}

#[tokio::test]
async fn items_that_come_together_go_together_up_to_a_hundred() {
    let server = TestServer::start(|_| OK).await;
    let publisher = publisher(&[url(server.address)]);
    let many = (0..150).map(|n| item(&format!("c{n}"), 1)).collect();
    publisher.publish(many).await.expect("accepted");
    let sizes: Vec<usize> = server.requests().iter().map(|request| items(request).len()).collect();
    assert_eq!(sizes, [100, 50]);
    let state = &publisher.endpoint_states()[0];
    assert_eq!((state.published, state.requests, state.failures, state.pending), (150, 2, 0, 0));
}

#[tokio::test]
async fn large_items_are_spread_over_requests() {
    let server = TestServer::start(|_| OK).await;
    let publisher = publisher(&[url(server.address)]);
    let large = |n: usize| Item { content: "x".repeat(200_000), ..item(&format!("c{n}"), 1) };
    publisher.publish((0..5).map(large).collect()).await.expect("accepted");
    let sizes: Vec<usize> = server.requests().iter().map(|request| items(request).len()).collect();
    assert_eq!(sizes, [2, 2, 1]);
    assert!(server.requests().iter().all(|request| request.body.len() <= 500_000));
}

#[tokio::test]
async fn changes_while_an_endpoint_was_down_arrive_once_and_in_chain() {
    let free = FreeAddress::reserve();
    let publisher = publisher(&[url(free.address)]);
    let mut waiting = Vec::new();
    for id in 5..=9 {
        waiting.push(publisher.publish(vec![item("a", id), item("b", id)]));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    until("the endpoint is found down", || !publisher.endpoint_states()[0].up).await;
    assert_eq!(publisher.endpoint_states()[0].pending, 2);
    let server = TestServer::start_at(free, |_| OK).await;
    for publish in waiting {
        publish.await.expect("accepted, itself or a newer one");
    }
    assert_eq!(all_items(&server), ["a 9<4", "b 9<4"]);
    let state = &publisher.endpoint_states()[0];
    assert!(state.up && state.failures > 0 && state.published == 2, "{state:?}");
}

#[tokio::test]
async fn without_merging_every_item_arrives_in_order() {
    let free = FreeAddress::reserve();
    let options = PublisherOptions { merge: false, ..PublisherOptions::default() };
    let publisher = publisher_with(&[url(free.address)], options);
    let waiting: Vec<_> = (1..=3).map(|id| publisher.publish(vec![item("a", id)])).collect();
    until("the endpoint is found down", || !publisher.endpoint_states()[0].up).await;
    let server = TestServer::start_at(free, |_| OK).await;
    for publish in waiting {
        publish.await.expect("accepted");
    }
    assert_eq!(all_items(&server), ["a 1<0", "a 2<1", "a 3<2"]);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_split() {
    let server = TestServer::start(|request| match items(request).len() {
        0..=30 => OK,
        _ => Answer::Status(413, "", ""),
    })
    .await;
    let publisher = publisher(&[url(server.address)]);
    publisher.publish((0..100).map(|n| item(&format!("c{n}"), 1)).collect()).await.expect("accepted");
    assert_eq!(publisher.endpoint_states()[0].published, 100);
}

#[tokio::test]
async fn without_endpoints_everything_is_published_at_once() {
    publisher(&[]).publish(vec![item("a", 1)]).await.expect("accepted by all of none");
}
