//! How many streams one client may have, and by which address clients are told apart.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::limits::LOOPBACK;
use crate::support::app::TestApp;
use crate::support::http::metric;
use crate::support::raw::raw_head;
use crate::support::wait::until;

/// Opens a stream, which lives as long as the socket. Returns the head of the answer, too.
async fn listen(app: &TestApp, headers: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(app.addr).await.expect("a connection");
    let request = format!(
        "GET /counters/1/ HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n{headers}\r\n",
        app.addr
    );
    socket.write_all(request.as_bytes()).await.expect("to send");
    let mut answer = Vec::new();
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        assert!(socket.read_buf(&mut answer).await.expect("to receive") > 0, "closed before the head");
    }
    (socket, String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn streams_beyond_the_limit_of_a_client_are_429_until_one_ends() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__STREAMS", "2"), LOOPBACK]).await;
    let from_one = "X-Forwarded-For: 192.0.2.1\r\nOrigin: https://page.example\r\n";
    let (first, head) = listen(&app, from_one).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (_second, head) = listen(&app, from_one).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");

    let (_, head) = listen(&app, from_one).await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    let head = head.to_ascii_lowercase();
    for line in [
        "content-type: application/problem+json\r\n",
        "retry-after: 10\r\n",
        "ratelimit-policy: \"streams\";q=2;qu=\"concurrent-requests\"\r\n",
        "ratelimit: \"streams\";r=0\r\n",
        "access-control-allow-origin: https://page.example\r\n",
        "access-control-expose-headers: x-request-id, retry-after, ratelimit, ratelimit-policy\r\n",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert_eq!(metric(&app.address, "requests_refused_total{reason=\"streams\"}").await, Some(1.0));

    let (_of_other, head) = listen(&app, "X-Forwarded-For: 192.0.2.2\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "another client has streams of its own: {head}");
    let line =
        format!("HEAD /counters/1/ HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n{from_one}\r\n");
    assert_eq!(raw_head(app.addr, line.as_bytes()).await.0, 200, "a head opens no stream");
    drop(first);
    until("a stream in the place of the one that ended", async || {
        listen(&app, from_one).await.1.starts_with("HTTP/1.1 200 ")
    })
    .await;
}

#[tokio::test]
async fn an_untrusted_peer_cannot_be_another_client() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__STREAMS", "1")]).await;
    let (_first, head) = listen(&app, "X-Forwarded-For: 192.0.2.1\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (_, head) = listen(&app, "X-Forwarded-For: 192.0.2.2\r\n").await;
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
}

#[tokio::test]
async fn several_header_lines_are_one_list_and_ipv6_counts_by_64() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__STREAMS", "1"), LOOPBACK]).await;
    let mut open = Vec::new();
    for (headers, status) in [
        ("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.9\r\n", 200),
        ("X-Forwarded-For: 192.0.2.2\r\nx-forwarded-for: 192.0.2.9, 127.0.0.2\r\n", 429),
        ("X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-For: 192.0.2.1\r\n", 200),
        ("X-Forwarded-For: 2001:db8:1:2::1\r\n", 200),
        ("X-Forwarded-For: 2001:db8:1:2:ffff::2\r\n", 429),
        ("X-Forwarded-For: 2001:db8:1:3::1\r\n", 200),
        ("X-Forwarded-For: ::ffff:192.0.2.1\r\n", 429),
    ] {
        let (socket, head) = listen(&app, headers).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{headers}: {head}");
        open.push(socket);
    }
}
