//! Requests that the cache itself answers, and headers that it removes.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::COUNTER;
use crate::origin::Origin;
use crate::support::app::TestApp;
use crate::support::http::{self, Ask, header};
use crate::support::raw::raw;
use crate::support::varnish::Varnish;

#[tokio::test]
async fn headers_for_the_cache_stay_inside() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let answer = http::client().get(cache.url(COUNTER)).header("Cookie", "a=b").answer().await;
    for name in ["surrogate-control", "surrogate-key", "xkey", "via", "x-varnish"] {
        assert_eq!(header(&answer, name), "", "{name}");
    }
    assert_eq!(header(&answer, "vary"), "Accept");
    assert_eq!(header(&answer, "cache-control"), "no-cache");
    assert_eq!(origin.requests().pop().expect("a request").header("cookie"), "");
    let asked = origin.requests().len();
    for path in ["/metrics", "/metrics/?x", "/%6detrics", "/%6D%65t%72ics", "//metrics"] {
        let answer = http::client().get(cache.url(path)).answer().await;
        assert_eq!((answer.status().as_u16(), origin.requests().len()), (404, asked), "{path}");
        assert_eq!(problem(answer).await, ("urn:livecounter:problem:not-found".into(), 404));
    }
    let purge = reqwest::Method::from_bytes(b"PURGE").expect("a method");
    let answer = http::client().request(purge, cache.url(COUNTER)).answer().await;
    assert_eq!(header(&answer, "allow"), "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    assert_eq!(problem(answer).await, ("urn:livecounter:problem:method-not-allowed".into(), 405));
}

#[tokio::test]
async fn targets_that_an_origin_reads_otherwise_are_refused() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let targets =
        ["https://x/metrics", "HTTPS://x/metrics", "/metrics#", "/counters/2/#x", "metrics", "*", "?x"];
    for target in targets {
        let (status, answer) = raw(cache.addr(), &format!("GET {target} HTTP/1.1"), &[]).await;
        assert_eq!(status, 400, "{target}: {answer}");
        assert!(answer.contains("urn:livecounter:problem:bad-request"), "{target}: {answer}");
    }
    assert_eq!(origin.requests().len(), 0);
    // Of a target in absolute form, as proxies get it, the cache takes the path.
    let (status, _) = raw(cache.addr(), "GET http://x/metrics HTTP/1.1", &[]).await;
    assert_eq!(status, 404);
    let (status, _) = raw(cache.addr(), "OPTIONS * HTTP/1.1", &[]).await;
    assert_eq!(status, 200, "the origin's own answer");
}

#[tokio::test]
async fn of_a_body_that_breaks_off_nothing_counts() {
    let app = TestApp::spawn().await;
    let cache = Varnish::start(&[app.addr]).await;
    let head = format!(
        "POST {COUNTER} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for body in ["zz\r\n", "8\r\n{\"by\":1}\r\nzz\r\n", "8\r\n{\"by\":1}\r\n", "8\r\n{\"by\":1}\r\n0\r\nx"] {
        let mut stream = TcpStream::connect(cache.addr()).await.expect("a connection");
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("to send");
        let mut answer = Vec::new();
        let end = async {
            // The cache may have ended the connection, with an answer or without one.
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut answer).await;
        };
        tokio::time::timeout(Duration::from_secs(15), end).await.expect("an end in time");
        assert_eq!(http::client().get(app.counter("2")).text().await, "0\n", "{body:?}");
    }
    let mut stream = TcpStream::connect(cache.addr()).await.expect("a connection");
    let whole = format!("{head}4\r\n{{\"by\r\n4\r\n\":3}}\r\n0\r\n\r\n");
    stream.write_all(whole.as_bytes()).await.expect("to send");
    assert!(stream.read(&mut [0; 999]).await.expect("an answer") > 0);
    assert_eq!(http::client().get(app.counter("2")).text().await, "3\n");
}

/// The type and the status of a problem that the cache itself answers; asserts that it has a title and a detail.
async fn problem(answer: reqwest::Response) -> (String, u64) {
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
    let problem: serde_json::Value =
        serde_json::from_str(&answer.text().await.expect("a text")).expect("JSON");
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    (problem["type"].as_str().expect("a type").into(), problem["status"].as_u64().expect("a status"))
}

#[tokio::test]
async fn answers_kept_for_all_name_the_origin_of_each_page() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    for (page, cached) in [("https://one.example", "MISS"), ("https://two.example", "HIT"), ("", "HIT")] {
        let mut request = http::client().get(cache.url(COUNTER)).header("Accept", "text/event-stream");
        if !page.is_empty() {
            request = request.header("Origin", page);
        }
        let answer = request.answer().await;
        assert_eq!(header(&answer, "x-cache"), cached, "{page}");
        let expected = if page.is_empty() { ("*", "", "Accept") } else { (page, "true", "Accept, Origin") };
        let told = ["access-control-allow-origin", "access-control-allow-credentials", "vary"];
        let told = told.map(|name| header(&answer, name));
        assert_eq!((told[0], told[1], told[2]), expected);
    }
    let purge = reqwest::Method::from_bytes(b"PURGE").expect("a method");
    let refused = http::client().request(purge, cache.url(COUNTER)).header("Origin", "https://one.example");
    let refused = refused.answer().await;
    assert_eq!(header(&refused, "access-control-allow-origin"), "https://one.example");
    assert_eq!(header(&refused, "access-control-allow-credentials"), "true");
    assert_eq!(header(&refused, "x-content-type-options"), "nosniff");
}
