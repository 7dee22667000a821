//! The program of Fastly's edge, run in Viceroy, with a real Pushpin, cache and origin behind it.

mod failures;
mod live;
mod managing;
mod requests;

use std::time::Duration;

use crate::origin::{Origin, event};
use crate::support::edge::{Edge, EdgeChain};
use crate::support::http::{Ask, client, header};
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);
/// Pushpin asks for a missed value again after 1, 2, 4, 8 and 16 s while it is refused.
const HEALED: Duration = Duration::from_secs(45);
const COUNTER: &str = "/counters/2/";
const READS: &str = r#"livecounter_http_requests_total{route="/counters/{id}/",method="GET""#;
const ACKNOWLEDGED: &str = "livecounter_announcements_acknowledged_total";

async fn post(url: &str) -> String {
    let answer = client().post(url).answer().await;
    assert_eq!(answer.status(), 200);
    answer.text().await.expect("a text").trim().to_owned()
}

/// Reads the plain value. Returns the value and `X-Cache`.
async fn read(url: &str) -> (String, String) {
    let answer = client().get(url).answer().await;
    let cache = header(&answer, "x-cache").to_owned();
    (answer.text().await.expect("a text").trim().to_owned(), cache)
}

async fn until(mut reached: impl AsyncFnMut() -> bool) {
    let mut poll = tokio::time::interval(Duration::from_millis(50));
    let wait = async {
        while !reached().await {
            poll.tick().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("to get there");
}

#[tokio::test]
async fn a_listener_through_the_edge_gets_the_value_and_every_change() {
    let chain = EdgeChain::start(&[]).await;
    let url = chain.edge.url(COUNTER);
    assert_eq!(post(&format!("{url}?by=26")).await, "26");
    let mut listener = Listener::connect(chain.edge.addr(), COUNTER).await;
    assert_eq!(listener.status(), 200);
    assert_eq!(listener.header("content-type"), "text/event-stream");
    listener.until_data("26", SOON).await;
    let body = client().post(&url).json(&serde_json::json!({"by": 4})).header("Idempotency-Key", "once");
    for _ in 0..2 {
        let again = body.try_clone().expect("a copy").answer().await;
        assert_eq!(again.text().await.expect("a text").trim(), "30", "body and key reach the origin");
    }
    let seen = listener.until_data("30", SOON).await;
    assert!(seen.iter().all(|event| event.event.as_deref() == Some("message")), "{seen:?}");
}

#[tokio::test]
async fn thirty_cold_listeners_cost_one_origin_request() {
    let chain = EdgeChain::start(&[]).await;
    let before = chain.metric(READS).await;
    // Each listener appends another query, as clients do to get past caches.
    let paths: Vec<String> = (0..30).map(|n| format!("{COUNTER}?_={n}")).collect();
    let connecting = paths.iter().map(|path| Listener::connect(chain.edge.addr(), path));
    let mut listeners = futures_util::future::join_all(connecting).await;
    for listener in &mut listeners {
        assert_eq!(listener.status(), 200);
        assert_eq!(listener.next(SOON).await.data, "0");
    }
    assert_eq!(chain.metric(READS).await - before, 1.0);
    post(&chain.edge.url(COUNTER)).await;
    for listener in &mut listeners {
        listener.until_data("1", SOON).await;
    }
}

#[tokio::test]
async fn after_a_change_the_next_listener_and_reader_get_the_new_value() {
    let chain = EdgeChain::start(&[]).await;
    let url = chain.edge.url(COUNTER);
    Listener::connect(chain.edge.addr(), COUNTER).await.until_data("0", SOON).await;
    assert_eq!(read(&url).await.0, "0");
    assert_eq!(read(&url).await, ("0".to_owned(), "HIT".to_owned()), "kept");
    post(&url).await;
    // The deadline is far below the ten minutes for which the cache would keep the answer.
    until(async || read(&url).await.0 == "1").await;
    let mut late = Listener::connect(chain.edge.addr(), COUNTER).await;
    assert_eq!(late.next(SOON).await.data, "1");
}

#[tokio::test]
async fn listeners_get_the_last_value_while_no_origin_answers_then_changes() {
    let mut chain = EdgeChain::start(&[("LIVECOUNTER__CACHE__MAX_AGE", "2s")]).await;
    let url = chain.edge.url(COUNTER);
    post(&url).await;
    // The test goes on after the second purge.
    until(async || chain.metric(ACKNOWLEDGED).await >= 1.0).await;
    Listener::connect(chain.edge.addr(), COUNTER).await.until_data("1", SOON).await;
    assert_eq!(read(&url).await.0, "1");
    assert!(chain.origin.take().expect("an origin").stop().await);
    until(async || read(&url).await == ("1".to_owned(), "STALE".to_owned())).await;
    let mut listener = Listener::connect(chain.edge.addr(), COUNTER).await;
    assert_eq!((listener.status(), listener.header("x-cache")), (200, "STALE"));
    assert_eq!(listener.next(SOON).await.data, "1");
    let refused = client().post(&url).answer().await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "1"));

    chain.start_origin().await;
    until(async || client().post(&url).send().await.is_ok_and(|answer| answer.status() == 200)).await;
    listener.until_data("2", HEALED).await;
}

#[tokio::test]
async fn an_unread_change_leaves_the_value_before_it_while_no_origin_answers() {
    let mut chain = EdgeChain::start(&[]).await;
    let url = chain.edge.url(COUNTER);
    Listener::connect(chain.edge.addr(), COUNTER).await.until_data("0", SOON).await;
    post(&url).await;
    until(async || chain.metric(ACKNOWLEDGED).await >= 1.0).await;
    assert!(chain.origin.take().expect("an origin").stop().await);
    // An EventSource that is refused gives up for good. One that is held gets the new value later.
    let mut listener = Listener::connect(chain.edge.addr(), COUNTER).await;
    assert_eq!((listener.status(), listener.header("x-cache")), (200, "STALE"));
    assert_eq!(listener.next(SOON).await.data, "0");
    chain.start_origin().await;
    listener.until_data("1", HEALED).await;
}

#[tokio::test]
async fn a_lost_publish_is_recovered_through_the_edge_and_past_the_cache() {
    let origin = Origin::start().await;
    let edge = Edge::start(origin.addr()).await;
    let mut listener = Listener::connect(edge.addr(), COUNTER).await;
    assert_eq!(listener.next(SOON).await.data, "26");
    // The item with 27 is never published; the item with 28 names it in its prev-id.
    origin.set_value(28);
    edge.pushpin.publish("counter-2", "e-28", "e-27", &event(28)).await;
    assert_eq!(listener.next(SOON).await.data, "28");
    // If Pushpin still holds the item with 28, which does not fit any more, it drops this one, too, and asks once more.
    origin.set_value(29);
    edge.pushpin.publish("counter-2", "e-29", "e-28", &event(29)).await;
    assert_eq!(listener.next(SOON).await.data, "29", "and it still listens");
    let asked = origin.requests();
    let recovery = asked.iter().find(|request| request.path.ends_with("/recover")).expect("a recovery");
    assert_eq!(recovery.header("grip-last"), "counter-2; last-id=e-26");
    assert_eq!(recovery.header("grip-sig").split('.').count(), 3);
    assert_eq!(recovery.header("x-forwarded-for"), "", "a recovery is for several clients");
}

#[tokio::test]
async fn answers_kept_for_all_name_the_origin_of_each_page_at_the_edge() {
    let chain = EdgeChain::start(&[]).await;
    let [named, allowed] = ["access-control-allow-origin", "access-control-allow-credentials"];
    for page in ["https://one.example", "https://two.example"] {
        let request = client().get(chain.edge.url(COUNTER)).header("Origin", page);
        let read = request.answer().await;
        assert_eq!((header(&read, named), header(&read, allowed)), (page, "true"));
        let stream = Listener::connect_with(chain.edge.addr(), COUNTER, &[("Origin", page)]).await;
        assert_eq!((stream.header(named), stream.header(allowed)), (page, "true"));
    }
    let refused = client().get(chain.edge.url("/metrics")).header("Origin", "https://one.example");
    let refused = refused.answer().await;
    assert_eq!(header(&refused, named), "https://one.example");
    assert_eq!(header(&refused, "x-content-type-options"), "nosniff");
}
