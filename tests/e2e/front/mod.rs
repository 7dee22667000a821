//! The front of a public chain: it ends slow requests, refuses ambiguous ones, and keeps streams open.

mod shares;
mod tunnels;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::support::chain::Chain;
use crate::support::front::{Front, Options};
use crate::support::http::{Ask, client, client_at, header};
use crate::support::pushpin;
use crate::support::raw::{self, raw, raw_head, read_request};
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);
/// The front's limit for a whole request is 10 s; the rest is for a machine that is busy.
const CUT_WITHIN: Duration = Duration::from_secs(20);
const COUNTER: &str = "/counters/2/";

/// A server that records the heads of its requests, and answers one request on each connection with `answer`.
async fn noting(answer: &'static str) -> (SocketAddr, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (note, noted) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let note = note.clone();
            tokio::spawn(async move {
                if let Some((head, body)) = read_request(&mut stream).await {
                    let _ = note.send(head + &String::from_utf8_lossy(&body));
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                    // The server reads the rest of the request: otherwise the connection would be reset, and the answer lost.
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
            });
        }
    });
    (address, noted)
}

const PLAIN: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\n1\n";

/// A front with two recording servers behind it: one in Pushpin's place, one in the cache's.
async fn front_of_noting(
    options: Options<'_>,
) -> (Front, UnboundedReceiver<String>, UnboundedReceiver<String>) {
    let (pushpin, to_pushpin) = noting(PLAIN).await;
    let (cache, to_cache) = noting(PLAIN).await;
    (Front::with(pushpin, cache, options).await, to_pushpin, to_cache)
}

/// Sends `first`, then `drop` once a second. Returns the answer until the end of the connection, and the time that this took.
async fn drip(front: SocketAddr, first: &str, drop: &str) -> (String, Duration) {
    let stream = TcpStream::connect(front).await.expect("a connection");
    let (mut answers, mut requests) = stream.into_split();
    let started = Instant::now();
    requests.write_all(first.as_bytes()).await.expect("to send");
    let drop = drop.to_owned();
    let dripping = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_secs(1));
        loop {
            pace.tick().await;
            if requests.write_all(drop.as_bytes()).await.is_err() {
                break;
            }
        }
    });
    let mut all = Vec::new();
    // A reset also ends the connection.
    let _ = timeout(CUT_WITHIN, answers.read_to_end(&mut all)).await.expect("the front to end it");
    dripping.abort();
    (String::from_utf8_lossy(&all).into_owned(), started.elapsed())
}

#[tokio::test]
async fn a_slow_head_is_cut() {
    let (front, _to_pushpin, mut to_cache) = front_of_noting(Options::default()).await;
    let (answer, after) = drip(front.addr(), "GET / HTTP/1.1\r\nHost: x\r\n", "X-More: x\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(after > Duration::from_secs(5), "honest clients have some seconds: {after:?}");
    assert!(to_cache.try_recv().is_err(), "no part of it reached the cache");
}

#[tokio::test]
async fn a_slow_body_is_cut() {
    let (front, _to_pushpin, mut to_cache) = front_of_noting(Options::default()).await;
    let lengths = ["Content-Length: 1000", "Transfer-Encoding: chunked"];
    let slow = lengths.map(|length| {
        let head = format!("POST {COUNTER} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n");
        let drop = if length.ends_with("chunked") { "1\r\nx\r\n" } else { "x" };
        let front = front.addr();
        tokio::spawn(async move { drip(front, &head, drop).await })
    });
    for slow in slow {
        let (answer, _) = slow.await.expect("an end");
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert!(to_cache.try_recv().is_err(), "no part of it reached the cache");
}

#[tokio::test]
async fn ambiguous_framing_is_refused_or_repaired() {
    let (front, mut to_pushpin, mut to_cache) = front_of_noting(Options::default()).await;
    let body = "8\r\n{\"by\":1}\r\n0\r\n\r\n";
    let refused = [
        "Content-Length: 8\r\nContent-Length: 9",
        "Content-Length: 8, 9",
        "Content-Length: +8",
        "Content-Length: 8\r\nTransfer-Encoding: xchunked",
        "Content-Length: 8\r\nTransfer-Encoding: chunked, identity",
        "Content-Length: 8\r\nTransfer-Encoding: identity, chunked",
        "Content-Length: 8\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Content-Length: 8\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Content-Length: 8\r\nTransfer-Encoding : chunked",
        "Content-Length: 8\r\n Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
    ];
    for framing in refused {
        let request = format!("POST {COUNTER} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{body}");
        let (status, answer) = raw_head(front.addr(), request.as_bytes()).await;
        assert!([400, 422, 501].contains(&status), "{framing:?}: {answer}");
    }
    for line in ["GET", "HEAD", "OPTIONS"] {
        let request = format!("{line} {COUNTER} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
        let (status, answer) = raw_head(front.addr(), request.as_bytes()).await;
        assert_eq!(status, 400, "{line} with a body: {answer}");
    }
    for target in ["https://x/metrics", "http://x/metrics", "/metrics#", "metrics"] {
        let (status, answer) = raw(front.addr(), &format!("GET {target} HTTP/1.1"), &[]).await;
        assert_eq!(status, 400, "{target}: {answer}");
    }
    assert!(to_cache.try_recv().is_err() && to_pushpin.try_recv().is_err(), "nothing passed");
    // Of a request with both headers the front removes the length, and takes the body by its chunks.
    for coding in ["chunked", "Chunked", " chunked", "\tchunked"] {
        let framing = format!("Content-Length: 3\r\nTransfer-Encoding:{coding}");
        let request = format!("POST {COUNTER} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{body}");
        let (status, answer) = raw_head(front.addr(), request.as_bytes()).await;
        assert_eq!(status, 200, "{coding:?}: {answer}");
        let passed = to_cache.recv().await.expect("a request").to_lowercase();
        assert!(passed.contains("\r\ntransfer-encoding: chunked\r\n"), "{passed}");
        assert!(!passed.contains("content-length"), "{passed}");
    }
}

#[tokio::test]
async fn a_request_goes_on_without_cookies_and_with_the_clients_address() {
    let (front, mut to_pushpin, mut to_cache) = front_of_noting(Options::default()).await;
    let cookie = format!("x={}", "a".repeat(8500));
    let client = client_at(5);
    for (accept, to) in [("text/event-stream", &mut to_pushpin), ("*/*", &mut to_cache)] {
        let request = client.get(front.url(COUNTER)).header("accept", accept).header("cookie", &cookie);
        let request = request.header("x-forwarded-for", "192.0.2.1").header("forwarded", "for=192.0.2.1");
        let request = request.header("grip-sig", "x").header("grip-last", "x").header("proxy", "x");
        let request = request.header("connection", "x-forwarded-for, te").header("x-real-ip", "192.0.2.1");
        assert_eq!(request.answer().await.status(), 200);
        let head = to.recv().await.expect("a request").to_lowercase();
        let count = head.matches("\r\nx-forwarded-for:").count();
        assert_eq!((raw::header(&head, "x-forwarded-for"), count), ("127.0.0.5", 1), "{head}");
        assert_eq!(raw::header(&head, "x-forwarded-proto"), "http");
        for removed in ["cookie", "forwarded", "grip-sig", "grip-last", "proxy", "x-real-ip", "te"] {
            assert_eq!(raw::header(&head, removed), "", "{removed}: {head}");
        }
        assert!(!raw::header(&head, "connection").contains("x-forwarded-for"), "{head}");
    }
    // The front answers a request that is too long for the servers behind it, and does not reset the connection.
    let long = format!("{COUNTER}?x={}", "a".repeat(3000));
    let answer = client.get(front.url(&long)).answer().await;
    assert_eq!(answer.status(), 431);
    let answer = client.post(front.url(COUNTER)).body("x".repeat(20_000)).answer().await;
    assert_eq!(answer.status(), 413);
    assert!(to_cache.try_recv().is_err(), "nothing passed");
}

#[tokio::test]
async fn of_the_cookies_only_the_services_own_go_on() {
    let (front, mut to_pushpin, mut to_cache) = front_of_noting(Options::default()).await;
    let long = format!("x={}; lc_abcdefgh=1", "a".repeat(8500));
    for (sent, passed) in [
        ("lc_abcdefgh=1", "lc_abcdefgh=1"),
        ("a=b; lc_abcdefgh=1; c", "lc_abcdefgh=1"),
        (
            "lc_ab-d_fg9=1;  a=b;livecounter_admin=x.y; lc_ABCDEFGH=2",
            "lc_ab-d_fg9=1;livecounter_admin=x.y; lc_ABCDEFGH=2",
        ),
        (&long, "lc_abcdefgh=1"),
        ("a=lc_abcdefgh=1; xlc_abcdefgh=1; lc_abcdefghi=1; lc_abc=1; livecounter_admins=1", ""),
        ("; ;;", ""),
    ] {
        for (accept, to) in [("text/event-stream", &mut to_pushpin), ("*/*", &mut to_cache)] {
            let request = client().get(front.url("/count")).header("accept", accept).header("cookie", sent);
            assert_eq!(request.answer().await.status(), 200);
            let head = to.recv().await.expect("a request");
            assert_eq!(raw::header(&head, "cookie"), passed, "{sent:.80}");
        }
    }
}

#[tokio::test]
async fn hits_and_their_streams_go_through_the_front() {
    let chain = Chain::start(1).await;
    let environment = &[("FRONT_OPEN", "5")];
    let options = Options { environment, ..Options::default() };
    let front = Front::with(chain.pushpin.addr(), chain.cache.addr(), options).await;
    let mut listeners = Vec::new();
    for path in [
        "/nocount?url=example.org",
        "/nocount/site?url=example.org",
        "/nocount?url=example.org&url=example.net",
    ] {
        listeners.push(Listener::connect(front.addr(), path).await);
    }
    for path in ["/nocount", "/nocount/site"] {
        let headers = [("Referer", "https://example.org/")];
        listeners.push(Listener::connect_with(front.addr(), path, &headers).await);
    }
    for listener in &mut listeners {
        assert_eq!((listener.status(), listener.next(SOON).await.data.as_str()), (200, "0"));
    }
    // Streams of hits count as open requests of the client, as those of counters do.
    assert_eq!(Listener::connect(front.addr(), "/nocount?url=example.com").await.status(), 429);
    // A visitor who sends the cookie of the first answer along is not counted again, whatever other cookies the site has.
    let visitor = client_at(9);
    let hit =
        visitor.get(front.url("/count?url=example.org")).header("x-forwarded-proto", "http").answer().await;
    let cookie = header(&hit, "set-cookie").split(';').next().expect("a cookie").to_owned();
    assert!(cookie.starts_with("lc_"), "{cookie}");
    for (cookie, value) in [(format!("a=b; {cookie}"), "1"), ("a=b".to_owned(), "2")] {
        let hit = visitor.get(front.url("/count?url=example.org")).header("cookie", cookie).answer().await;
        assert_eq!(hit.text().await.expect("a number"), value);
    }
    for listener in &mut listeners {
        listener.until_data("2", SOON).await;
    }
}

#[tokio::test]
async fn a_stream_survives_more_than_a_minute_of_silence() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let silent = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        // The front's health checks connect here, too.
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if read_request(&mut stream).await.is_none() {
                    return;
                }
                stream.write_all(head.as_bytes()).await.expect("to send");
                // The test is about the silence, so that it cannot await a condition instead.
                tokio::time::sleep(Duration::from_secs(75)).await;
                stream.write_all(b"9\r\ndata: 1\n\n\r\n").await.expect("to send");
                let _ = stream.read(&mut [0]).await;
            });
        }
    });
    let front = Front::start(silent, silent).await;
    let mut listener = Listener::connect(front.addr(), COUNTER).await;
    assert_eq!(listener.next(Duration::from_secs(90)).await.data, "1");
}

#[tokio::test]
async fn the_chain_behind_the_front_counts_and_shows_the_value() {
    let settings = [("LIVECOUNTER__LIMITS__WRITES", "3/h"), ("LIVECOUNTER__TRUSTED_PROXIES", "127.0.0.1")];
    let options = pushpin::Options {
        settings: vec![
            ("x_forwarded_for", "append".into()),
            ("x_forwarded_for_trusted", "append".into()),
            ("set_x_forwarded_protocol", "false".into()),
        ],
        ..pushpin::Options::default()
    };
    let chain = Chain::with(1, &settings, options).await;
    let front = Front::start(chain.pushpin.addr(), chain.cache.addr()).await;
    let mut listener = Listener::connect(front.addr(), COUNTER).await;
    assert_eq!(listener.next(SOON).await.data, "0");
    // The origin's limits count by the client's real address, not by a forged header.
    let post = async |client: &reqwest::Client, forged: &str| {
        let request = client.post(front.url(COUNTER)).header("x-forwarded-for", forged);
        request.answer().await.status().as_u16()
    };
    let (one, two) = (client_at(7), client_at(8));
    for forged in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert_eq!(post(&one, forged).await, 200);
    }
    assert_eq!(post(&one, "192.0.2.4").await, 429);
    assert_eq!(post(&two, "192.0.2.1").await, 200);
    listener.until_data("4", SOON).await;
    // Origins know whether the client speaks TLS to the front, also by way of Pushpin: then cookies are for TLS alone.
    for (protocol, is_secure) in [("https", true), ("http", false)] {
        let url = chain.pushpin.url(&format!("/count?url=example.org/{protocol}"));
        let hit = client().get(url).header("x-forwarded-proto", protocol).answer().await;
        assert_eq!(header(&hit, "set-cookie").contains("; Secure"), is_secure, "{:?}", hit.headers());
    }
    // The front sends HEAD past Pushpin, also for a stream. It does not pass on requests for metrics.
    for accept in ["*/*", "text/event-stream"] {
        let answer = client().head(front.url(COUNTER)).header("accept", accept).answer().await;
        assert_eq!(answer.status(), 200, "{accept}");
    }
    assert_eq!(client().get(front.url("/metrics")).answer().await.status(), 404);
}

#[tokio::test]
async fn a_part_that_cannot_answer_is_reported_as_a_problem() {
    let unused = crate::support::port::Port::reserve();
    let front = Front::start(unused.addr(), unused.addr()).await;
    for accept in ["*/*", "text/event-stream"] {
        let answer = client().get(front.url(COUNTER)).header("accept", accept).answer().await;
        assert_eq!(answer.status(), 503);
        assert_eq!(header(&answer, "content-type"), "application/problem+json");
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
        assert_eq!(header(&answer, "retry-after"), "1");
    }
}
