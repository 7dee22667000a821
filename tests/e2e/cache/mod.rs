//! The cache alone: which answers it keeps, under which key, for how long, and what a purge removes.

mod badges;
mod described_routes;
mod failures;
mod hits;
mod past;
mod refusals;

use std::time::{Duration, Instant};

use crate::origin::Origin;
use crate::support::http::{self, Ask, header};
use crate::support::varnish::{API_KEY, Varnish};

const COUNTER: &str = "/counters/2/";
const SOON: Duration = Duration::from_secs(5);

/// GETs with an Accept header. Returns the body and `X-Cache`.
async fn get(url: &str, accept: &str) -> (String, String) {
    let answer = http::client().get(url).header("Accept", accept).answer().await;
    let cache = header(&answer, "x-cache").to_owned();
    (answer.text().await.expect("a body"), cache)
}

#[tokio::test]
async fn thirty_readers_at_once_cost_one_origin_request() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let url = cache.url(COUNTER);
    // One client: to make thirty takes longer on a busy machine than the cache waits for the first one's request.
    let client = http::client();
    let readers = (0..30).map(|_| client.get(&url).text());
    for value in futures_util::future::join_all(readers).await {
        assert_eq!(value, "26\n");
    }
    assert_eq!(origin.count("GET"), 1);
}

#[tokio::test]
async fn a_purge_removes_every_variant() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let url = cache.url(COUNTER);
    let accepts = ["text/event-stream", "application/json", "text/plain"];
    for accept in accepts {
        assert_eq!(get(&url, accept).await.1, "MISS");
        assert_eq!(get(&url, accept).await.1, "HIT");
    }
    origin.set_value(27);
    assert!(get(&url, "text/plain").await.0.contains("26"), "kept until it is purged");

    cache.purge("counter-1 counter-2").await;
    for accept in accepts {
        let (body, cached) = get(&url, accept).await;
        assert_eq!(cached, "MISS");
        assert!(body.contains("27"), "{body}");
    }
}

#[tokio::test]
async fn a_purge_needs_the_key_and_the_control_port() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let (url, client) = (cache.url(COUNTER), http::client());
    get(&url, "text/plain").await;

    let purge = |base: &str, key: &str| {
        let request = client.post(format!("{base}/service/local/purge")).header("Surrogate-Key", "counter-2");
        request.header("Fastly-Key", key).answer()
    };
    assert_eq!(purge(&cache.api_url(), "").await.status(), 401);
    assert_eq!(purge(&cache.api_url(), "another").await.status(), 401);
    // On the public port the cache passes it to the origin, as any POST.
    purge(&cache.url(""), API_KEY).await;
    assert_eq!(origin.count("POST"), 1);
    assert_eq!(get(&url, "text/plain").await.1, "HIT");

    let answer = purge(&cache.api_url(), API_KEY).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.expect("a body").trim(), r#"{"status":"ok"}"#);
    assert_eq!(get(&url, "text/plain").await.1, "MISS");
}

#[tokio::test]
async fn a_soft_purge_makes_stale_and_does_not_remove() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let url = cache.url(COUNTER);
    get(&url, "text/plain").await;
    let soft = async || {
        let request = http::client().post(format!("{}/service/local/purge", cache.api_url()));
        let request = request.header("Fastly-Key", API_KEY).header("Surrogate-Key", "counter-2");
        let answer = request.header("Fastly-Soft-Purge", "1").answer().await;
        assert_eq!(answer.status(), 200);
    };
    soft().await;
    origin.set_value(27);
    assert_eq!(
        get(&url, "text/plain").await,
        ("27\n".to_owned(), "MISS".to_owned()),
        "fresh while there is an origin"
    );
    soft().await;
    origin.fail();
    assert_eq!(get(&url, "text/plain").await, ("27\n".to_owned(), "STALE".to_owned()));
}

#[tokio::test]
async fn accept_headers_become_as_few_variants_as_there_are_representations() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let url = cache.url(COUNTER);
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    for (accept, sent) in [
        ("text/event-stream", "text/event-stream"),
        ("text/event-stream; charset=utf-8", "text/event-stream"),
        ("Text/Event-Stream, */*", "text/event-stream"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        // The type that stands first wins, as at the origin.
        ("application/json, text/event-stream", "application/json"),
        ("image/png, text/plain, application/json", "*/*"),
        ("*/*", "*/*"),
        ("text/plain", "*/*"),
        ("application/jsonp", "*/*"),
        ("", "*/*"),
        // A browser also accepts the plain value of a counter.
        (browser, "text/html, */*;q=0.1"),
    ] {
        cache.purge("counter-2").await;
        get(&url, accept).await;
        let request = origin.requests().pop().expect("a request");
        assert_eq!(request.header("accept"), sent, "of {accept:?}");
    }
    // With weights the origin decides, and the cache keeps nothing.
    for weighed in ["application/json;q=0.5, text/event-stream;q=0.1", "text/plain;q=0, */*"] {
        for _ in 0..2 {
            assert_eq!(get(&url, weighed).await.1, "MISS");
            assert_eq!(origin.requests().pop().expect("a request").header("accept"), weighed);
        }
    }
}

#[tokio::test]
async fn whatever_a_client_appends_or_calls_the_host_a_counter_has_one_entry() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    for (query, host) in [("", "a.example"), ("?_=1", "a.example"), ("?_=2", "b.example")] {
        let request = http::client().get(cache.url(&format!("{COUNTER}{query}"))).header("Host", host);
        assert_eq!(request.answer().await.status(), 200);
    }
    let asked: Vec<String> = origin.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, [COUNTER]);
    // The query of a POST is passed on, as it holds the amount.
    http::client().post(cache.url("/counters/2/?by=3")).answer().await;
    assert_eq!(origin.requests().pop().expect("a request").path, "/counters/2/?by=3");
}

#[tokio::test]
async fn a_counter_may_be_called_recover() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    for cached in ["MISS", "HIT"] {
        assert_eq!(get(&cache.url("/counters/recover/"), "text/plain").await.1, cached);
    }
}

#[tokio::test]
async fn a_post_reaches_the_origin_each_time_on_a_connection_of_its_own() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let client = http::client();
    for value in ["27\n", "28\n"] {
        let answer = client.post(cache.url(COUNTER)).answer().await;
        assert_eq!(answer.text().await.expect("a body"), value);
    }
    let requests = origin.requests();
    assert_ne!(requests[0].peer(), requests[1].peer());
    assert!(requests.iter().all(|request| request.header("connection") == "close"), "{requests:?}");
}

#[tokio::test]
async fn the_recovery_path_is_never_cached() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    for asked in 1..=2 {
        get(&cache.url("/counters/2/recover"), "*/*").await;
        assert_eq!(origin.count("GET"), asked);
    }
    let client = http::client();
    for asked in 3..=4 {
        let request = client.get(cache.url(COUNTER)).header("Grip-Last", "counter-2; last-id=e-1");
        request.answer().await;
        assert_eq!(origin.count("GET"), asked);
    }
}

#[tokio::test]
async fn without_surrogate_control_nothing_is_kept() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    for control in ["", "max-age=0", "no-store", "no-store, max-age=60"] {
        origin.set_surrogate_control(control);
        let before = origin.count("GET");
        for _ in 0..2 {
            assert_eq!(get(&cache.url(COUNTER), "text/plain").await.1, "MISS", "{control:?}");
        }
        assert_eq!(origin.count("GET"), before + 2, "{control:?}");
    }
}

#[tokio::test]
async fn a_kept_answer_lives_as_long_as_surrogate_control_says() {
    let origin = Origin::start().await;
    origin.set_surrogate_control("max-age=1");
    let cache = Varnish::start(&[origin.addr()]).await;
    let url = cache.url(COUNTER);
    get(&url, "text/plain").await;
    origin.set_value(27);
    let asked = Instant::now();
    while get(&url, "text/plain").await.0 != "27\n" {
        assert!(asked.elapsed() < SOON, "still the old value");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_origin_with_an_address_of_ipv6_is_found() {
    let origin = Origin::at("[::1]:0".parse().expect("an address")).await;
    let cache = Varnish::start(&[origin.addr()]).await;
    assert_eq!(get(&cache.url(COUNTER), "text/plain").await.0, "26\n");
}
