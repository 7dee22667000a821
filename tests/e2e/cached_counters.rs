//! Counters read through the cache: which requests reach the origin, and that a change purges every copy.

use std::time::Duration;

use livecounter::store::Outbox;

use crate::counters::{READS, SOON, post, store, until};
use crate::support::chain::Chain;
use crate::support::http::{Ask, client, header};
use crate::support::sse::Listener;

#[tokio::test]
async fn one_origin_request_serves_all_listeners_that_join_through_the_cache() {
    let chain = Chain::start(1).await;
    post(&chain.origins[0].counter("2")).await;
    until(async || chain.metric("livecounter_announcements_acknowledged_total").await, |n| n >= 1.0).await;
    let before = chain.metric(READS).await;
    let mut listeners = Vec::new();
    for _ in 0..30 {
        listeners.push(Listener::connect(chain.pushpin.addr(), "/counters/2/").await);
    }
    for listener in &mut listeners {
        assert_eq!(listener.next(SOON).await.data, "1");
    }
    assert_eq!(chain.metric(READS).await - before, 1.0);
    post(&chain.origins[0].counter("2")).await;
    for listener in &mut listeners {
        listener.until_data("2", SOON).await;
    }
}

#[tokio::test]
async fn a_post_purges_every_variant() {
    let chain = Chain::start(1).await;
    let url = chain.pushpin.url("/counters/2/");
    let read = async |accept: &str| {
        let answer = client().get(&url).header("accept", accept).answer().await;
        answer.text().await.expect("a text")
    };
    assert_eq!(
        (read("*/*").await.as_str(), read("application/json").await.as_str()),
        ("0\n", r#"{"id":"2","value":0}"#)
    );
    post(&chain.origins[0].counter("2")).await;
    let mut poll = tokio::time::interval(Duration::from_millis(20));
    let fresh = async {
        while read("*/*").await != "1\n" || read("application/json").await != r#"{"id":"2","value":1}"# {
            poll.tick().await;
        }
    };
    // The deadline is far below the ten minutes for which the cache would keep the answer.
    tokio::time::timeout(SOON, fresh).await.expect("a fresh value");
    let mut late = Listener::connect(chain.pushpin.addr(), "/counters/2/").await;
    assert_eq!(late.next(SOON).await.data, "1");
    assert!(chain.metric("livecounter_purged_keys_total").await >= 1.0);
    assert_eq!(chain.metric("livecounter_purge_failures_total").await, 0.0);
}

#[tokio::test]
async fn a_page_of_another_origin_may_ask_with_credentials_through_the_chain() {
    let chain = Chain::start(1).await;
    let url = chain.pushpin.url("/counters/2/");
    for page in ["https://one.example", "https://two.example"] {
        let added = client().post(&url).header("Origin", page).answer().await;
        let read = client().get(&url).header("Origin", page).answer().await;
        let stream = Listener::connect_with(chain.pushpin.addr(), "/counters/2/", &[("Origin", page)]).await;
        let [named, allowed] = ["access-control-allow-origin", "access-control-allow-credentials"];
        for answer in [&added, &read] {
            assert_eq!((header(answer, named), header(answer, allowed)), (page, "true"));
        }
        assert_eq!((stream.header(named), stream.header(allowed)), (page, "true"));
    }
}

#[tokio::test]
async fn a_value_that_comes_back_is_known_again_and_still_purged() {
    let chain = Chain::start(1).await;
    let url = chain.pushpin.url("/counters/2/");
    let read = async |known: &str| {
        let answer = client().get(&url).header("If-None-Match", known).answer().await;
        let (status, cached) = (answer.status().as_u16(), header(&answer, "x-cache").to_owned());
        (status, cached, answer.text().await.expect("a text"))
    };
    assert_eq!(read("").await.2, "0\n");
    assert_eq!(read("\"0\"").await, (304, "HIT".into(), String::new()), "by the cache itself");
    // The copy is stale now. The cache sends its ETag, and the origin answers that the value is the same.
    post(&url).await;
    post(&format!("{url}?by=-1")).await;
    let store = store(&chain);
    until(async || store.outbox_len().await.expect("a number") as f64, |marks| marks == 0.0).await;
    let before = chain.metric(READS).await;
    assert_eq!(read("").await, (200, "MISS".into(), "0\n".into()));
    assert_eq!(read("").await, (200, "HIT".into(), "0\n".into()));
    let status = READS.replace("method=\"GET\"", "method=\"GET\",status=\"304\"");
    assert_eq!(chain.metric(READS).await - before, 1.0);
    assert!(chain.metric(&status).await >= 1.0, "the copy is kept anew");
    // The next change purges it again.
    post(&url).await;
    until(async || read("").await.2.trim().parse().expect("a number"), |value| value == 1.0).await;
}
