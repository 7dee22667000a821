use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::Value;
use tokio::time::timeout;

use super::*;
use crate::test_server::{Answer, Request, TestServer, free_address};

const OK: Answer = Answer::Status(200, "", "Published\n");

fn item(channel: &str, id: u64) -> Item {
    let prev_id = Some((id - 1).to_string());
    let content = format!("data: {id}\n\n");
    Item { channel: channel.into(), id: id.to_string(), prev_id, content, first: false }
}

fn publisher_with(addresses: &[String], options: PublisherOptions) -> Publisher {
    let endpoints: Vec<Endpoint> = addresses.iter().map(|text| text.parse().expect("an endpoint")).collect();
    Publisher::new(&endpoints, &options).expect("a publisher")
}

fn publisher(addresses: &[String]) -> Publisher {
    publisher_with(addresses, PublisherOptions::default())
}

fn url(address: std::net::SocketAddr) -> String {
    format!("http://{address}/")
}

/// `channel id<prev` of each item of a request.
fn items(request: &Request) -> Vec<String> {
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line =
        |item: &Value| format!("{} {}<{}", text(&item["channel"]), text(&item["id"]), text(&item["prev-id"]));
    body["items"].as_array().expect("items").iter().map(line).collect()
}

fn all_items(server: &TestServer) -> Vec<String> {
    server.requests().iter().flat_map(items).collect()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(8), wait).await.unwrap_or_else(|_| panic!("{what}"));
}

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
    let many = (0..250).map(|n| item(&format!("c{n}"), 1)).collect();
    publisher.publish(many).await.expect("accepted");
    let sizes: Vec<usize> = server.requests().iter().map(|request| items(request).len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
    let state = &publisher.endpoint_states()[0];
    assert_eq!((state.published, state.requests, state.failures, state.pending), (250, 3, 0, 0));
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
    let address = free_address().await;
    let publisher = publisher(&[url(address)]);
    let mut waiting = Vec::new();
    for id in 5..=9 {
        waiting.push(publisher.publish(vec![item("a", id), item("b", id)]));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    until("the endpoint is found down", || !publisher.endpoint_states()[0].up).await;
    assert_eq!(publisher.endpoint_states()[0].pending, 2);
    let server = TestServer::start_at(address, |_| OK).await;
    for publish in waiting {
        publish.await.expect("accepted, itself or a newer one");
    }
    assert_eq!(all_items(&server), ["a 9<4", "b 9<4"]);
    let state = &publisher.endpoint_states()[0];
    assert!(state.up && state.failures > 0 && state.published == 2, "{state:?}");
}

#[tokio::test]
async fn without_merging_every_item_arrives_in_order() {
    let address = free_address().await;
    let options = PublisherOptions { merge: false, ..PublisherOptions::default() };
    let publisher = publisher_with(&[url(address)], options);
    let waiting: Vec<_> = (1..=3).map(|id| publisher.publish(vec![item("a", id)])).collect();
    until("the endpoint is found down", || !publisher.endpoint_states()[0].up).await;
    let server = TestServer::start_at(address, |_| OK).await;
    for publish in waiting {
        publish.await.expect("accepted");
    }
    assert_eq!(all_items(&server), ["a 1<0", "a 2<1", "a 3<2"]);
}

#[tokio::test]
async fn a_dead_endpoint_delays_no_healthy_one_and_fails_the_publish_in_time() {
    let server = TestServer::start(|_| OK).await;
    let silent = TestServer::start(|_| Answer::Silence).await;
    let options = PublisherOptions { give_up: Duration::from_millis(300), ..PublisherOptions::default() };
    let publisher = publisher_with(&[url(silent.address), url(server.address)], options);
    let start = Instant::now();
    for id in 1..=20 {
        drop(publisher.publish(vec![item("a", id)]));
        until("the healthy one has it", || all_items(&server).len() as u64 == id).await;
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
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
    let calls = AtomicUsize::new(0);
    let server = TestServer::start(move |_| match calls.fetch_add(1, SeqCst) {
        0 => Answer::Hangup,
        _ => OK,
    })
    .await;
    let publisher = publisher(&[url(server.address)]);
    let first = publisher.publish(vec![item("a", 5)]);
    until("the attempt has failed", || publisher.endpoint_states()[0].failures == 1).await;
    let second = publisher.publish(vec![item("a", 6)]);
    let _ = (first.await.expect("accepted"), second.await.expect("accepted"));
    assert_eq!(all_items(&server), ["a 5<4", "a 6<5"]);
}

#[tokio::test]
async fn pending_items_get_through_when_the_endpoint_is_up_and_drop_ends_all() {
    let address = free_address().await;
    let publisher = publisher(&[url(address)]);
    let waiting = publisher.publish(vec![item("a", 1)]);
    until("the attempt has failed", || publisher.endpoint_states()[0].failures > 0).await;
    let server = TestServer::start_at(address, |_| OK).await;
    waiting.await.expect("accepted");
    drop(server);
    let stranded = publisher.publish(vec![item("a", 2)]);
    drop(publisher);
    assert_eq!(stranded.await.expect_err("stopped").refusals[0].2, Refusal::Stopped);
}

#[tokio::test]
async fn no_secret_is_in_errors_states_or_debugging() {
    let publisher_text = {
        let publisher =
            publisher(&["http://127.0.0.1:1/?iss=i&key=hunter2hunter2hunter2&token=hunter2".to_owned()]);
        let error = {
            let options =
                PublisherOptions { give_up: Duration::from_millis(50), ..PublisherOptions::default() };
            let publisher =
                publisher_with(&["http://u:hunter2@127.0.0.1:1/?token=hunter2".to_owned()], options);
            publisher.publish(vec![item("a", 1)]).await.expect_err("no server listens")
        };
        let failure =
            Poster::new(&"http://127.0.0.1:1/?key=hunter2&token=hunter2".parse().expect("an endpoint"))
                .expect("a poster")
                .post(Vec::new())
                .await;
        let post::Outcome::Failed(failure) = failure else { panic!("no server listens") };
        format!("{publisher:?} {:?} {error} {error:?} {}", publisher.endpoint_states(), failure.reason)
    };
    assert!(publisher_text.contains("127.0.0.1:1"));
    assert!(!publisher_text.contains("hunter2"), "{publisher_text}");
}

/// The log of a test.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    /// Keeps the log lines of this thread as long as the result lives. The runtime of a test has no other thread.
    fn keep(&self) -> (tracing::Dispatch, tracing::subscriber::DefaultGuard) {
        // With one subscriber, tracing asks only the first thread with an event whether the event is wanted. That thread may belong
        // to another test, which wants no events. With two subscribers, tracing asks both.
        let second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_target(false);
        let guard = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
        tracing::callsite::rebuild_interest_cache();
        (second, guard)
    }

    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("unpoisoned");
        std::str::from_utf8(&bytes).expect("text").lines().map(|line| line.trim().to_owned()).collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("unpoisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_outage_is_logged_once_and_so_is_its_end_without_secrets() {
    let log = Log::default();
    let _guard = log.keep();
    let calls = AtomicUsize::new(0);
    let server = TestServer::start(move |_| match calls.fetch_add(1, SeqCst) {
        0..=3 => Answer::Status(503, "", ""),
        _ => OK,
    })
    .await;
    let publisher =
        publisher(&[format!("http://{}/?iss=i&key=hunter2hunter2hunter2&token=hunter2", server.address)]);
    publisher.publish(vec![item("a", 1)]).await.expect("accepted");
    let (lines, address) = (log.lines(), server.address);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(&format!("WARN publishing to {address} fails: answered 503")), "{lines:?}");
    assert!(lines[1].starts_with(&format!("INFO publishing to {address} works again")), "{lines:?}");
    assert!(!lines.concat().contains("hunter2"), "{lines:?}");
}

#[tokio::test]
async fn an_endpoint_that_refuses_everything_is_logged_once() {
    let log = Log::default();
    let _guard = log.keep();
    let server = TestServer::start(|_| Answer::Status(400, "", "")).await;
    let publisher = publisher(&[url(server.address)]);
    let error = publisher.publish((0..20).map(|n| item(&format!("c{n}"), 1)).collect()).await;
    assert_eq!(error.expect_err("refused").unaccepted().len(), 20);
    assert_eq!(log.lines().len(), 1, "{:?}", log.lines());
    assert!(log.lines()[0].contains("refused an item for c0: 400"), "{:?}", log.lines());
}

#[tokio::test]
async fn without_endpoints_everything_is_published_at_once() {
    publisher(&[]).publish(vec![item("a", 1)]).await.expect("accepted by all of none");
}
