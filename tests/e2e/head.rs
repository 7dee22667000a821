//! HEAD of a stream ends with its head, also behind a front or an edge. Pushpin would hold it for ever, as if it had a body, and write events
//! where the client expects the next answer.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::app::TestApp;
use crate::support::chain::Chain;
use crate::support::http::{Ask, client};
use crate::support::pushpin::Pushpin;
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);
const COUNTER: &str = "/counters/2/";
const RECOVERY: &str = "/counters/2/recover";

/// Asks for the head of a stream and then, over the same connection, for the plain value: so a byte too many, or an
/// answer that does not end, shows. Returns the head and what the second answer has for a body.
async fn head_and_then_value(addr: SocketAddr, path: &str) -> (String, String) {
    let exchange = async {
        let mut socket = TcpStream::connect(addr).await.expect("a connection");
        let head = format!("HEAD {path} HTTP/1.1\r\nHost: {addr}\r\nAccept: text/event-stream\r\n\r\n");
        socket.write_all(head.as_bytes()).await.expect("to send");
        let mut answer = Vec::new();
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            assert!(socket.read_buf(&mut answer).await.expect("to receive") > 0, "{answer:?}");
        }
        let get = format!("GET {COUNTER} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        socket.write_all(get.as_bytes()).await.expect("to send");
        socket.read_to_end(&mut answer).await.expect("to receive");
        String::from_utf8(answer).expect("text")
    };
    let answers = timeout(SOON, exchange).await.expect("two answers, the second of which ends");
    let (head, second) = answers.split_once("\r\n\r\n").expect("a head");
    let (second_head, value) = second.split_once("\r\n\r\n").expect("a second head");
    assert!(second_head.starts_with("HTTP/1.1 200"), "{answers}");
    (head.to_ascii_lowercase(), value.to_owned())
}

fn assert_head_of_a_stream(head: &str) {
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("\r\ncontent-type: text/event-stream"), "{head}");
    assert!(head.contains("\r\ncache-control: no-store"), "no cache may keep it: {head}");
    assert!(!head.contains("\r\ngrip-"), "{head}");
}

#[tokio::test]
async fn pushpin_is_not_asked_to_hold_the_head_of_a_stream() {
    // Nothing listens at this control address. The origin needs only the key, by which it recognizes its proxy.
    let app = TestApp::with(&[("GRIP_URL", "http://127.0.0.1:9/?iss=test&key=the-key-of-a-test")]).await;
    let pushpin = Pushpin::start(app.addr).await;
    for path in [COUNTER, RECOVERY] {
        let (head, value) = head_and_then_value(pushpin.addr(), path).await;
        assert_head_of_a_stream(&head);
        assert!(value.contains("0\n"), "{value}");
    }
    let mut listener = Listener::connect(pushpin.addr(), COUNTER).await;
    assert_eq!(listener.next(SOON).await.data, "0");
}

#[tokio::test]
async fn a_head_through_the_cache_takes_and_gives_a_listener_nothing() {
    let chain = Chain::start(1).await;
    // HEAD is asked before the cache keeps anything, and while it keeps the hold: neither answer replaces the other.
    for expected in ["1", "2"] {
        let (head, _) = head_and_then_value(chain.pushpin.addr(), COUNTER).await;
        assert_head_of_a_stream(&head);
        let mut listener = Listener::connect(chain.pushpin.addr(), COUNTER).await;
        listener.next(SOON).await;
        let (head, _) = head_and_then_value(chain.pushpin.addr(), COUNTER).await;
        assert_head_of_a_stream(&head);
        let added = client().post(chain.origins[0].counter("2")).answer().await;
        assert_eq!(added.status(), 200);
        listener.until_data(expected, SOON).await;
    }
}
