//! The cache while origins fail: stale answers, other origins, and answers of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{COUNTER, SOON, get};
use crate::origin::Origin;
use crate::support::http::{self, Ask, header};
use crate::support::varnish::Varnish;

#[tokio::test]
async fn stale_answers_are_given_only_while_no_origin_answers() {
    let origin = Origin::start().await;
    origin.set_surrogate_control("max-age=1, stale-if-error=600");
    let cache = Varnish::start(&[origin.addr()]).await;
    let url = cache.url(COUNTER);
    assert_eq!(get(&url, "text/event-stream").await.1, "MISS");
    let addr = origin.addr();
    drop(origin);

    let asked = Instant::now();
    loop {
        let (body, cached) = get(&url, "text/event-stream").await;
        assert!(body.contains("data: 26"), "no answer is worse than a known one: {body}");
        if cached == "STALE" {
            break;
        }
        assert!(asked.elapsed() < SOON, "{cached}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let origin = Origin::at(addr).await;
    origin.set_value(27);
    let asked = Instant::now();
    while !get(&url, "text/event-stream").await.0.contains("data: 27") {
        assert!(asked.elapsed() < SOON, "still stale");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_origin_that_fails_is_covered_by_another() {
    let (good, bad) = (Origin::start().await, Origin::start().await);
    bad.fail();
    let cache = Varnish::start(&[good.addr(), bad.addr()]).await;
    for id in 0..6 {
        assert_eq!(get(&cache.url(&format!("/counters/c{id}/")), "text/plain").await.0, "26\n");
    }
    assert!(bad.count("GET") > 0, "it was asked");
}

#[tokio::test]
async fn without_an_origin_or_a_copy_browsers_get_a_503_they_may_read() {
    let nowhere: SocketAddr = Origin::start().await.addr();
    let cache = Varnish::start(&[nowhere]).await;
    let client = http::client();
    for request in [client.get(cache.url(COUNTER)), client.post(cache.url(COUNTER))] {
        let answer = request.answer().await;
        assert_eq!(answer.status(), 503);
        assert_eq!(header(&answer, "content-type"), "application/problem+json");
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
        assert_eq!(header(&answer, "cache-control"), "no-store");
        assert_eq!(header(&answer, "retry-after"), "1");
        let problem: serde_json::Value = answer.json().await.expect("JSON");
        assert_eq!(problem["status"], 503);
    }
}
