//! What Pushpin does when something is slow or fails, and where it is no plain passage: what our documentation says of it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::origin::{Origin, event};
use crate::support::app::TestApp;
use crate::support::http::{client, header};
use crate::support::pushpin::Pushpin;
use crate::support::sse::Listener;

const COUNTER: &str = "/counters/2/";
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_item_waits_while_a_recovery_fails_and_comes_with_the_next_one() {
    let origin = Origin::start().await;
    let pushpin = Pushpin::start(origin.addr()).await;
    let mut listener = Listener::connect(pushpin.addr(), COUNTER).await;
    assert_eq!(listener.next(SOON).await.data, "26");
    origin.fail();
    // A second after the channel's first subscription Pushpin asks what was missed.
    let asked = async {
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        while !origin.requests().iter().any(|request| request.path.ends_with("/recover")) {
            poll.tick().await;
        }
    };
    timeout(SOON, asked).await.expect("a recovery");
    pushpin.publish("counter-2", "e-27", "e-26", &event(27)).await;
    // It asks again a second later at the soonest.
    assert!(listener.try_next(Duration::from_millis(500)).await.is_none(), "held back, though it fits");
    origin.set_value(27);
    origin.mend();
    assert_eq!(listener.next(SOON).await.data, "27");
    pushpin.publish("counter-2", "e-28", "e-27", &event(28)).await;
    assert_eq!(listener.next(SOON).await.data, "28", "once, and it still listens");
}

#[tokio::test]
async fn who_joins_a_pushpin_whose_handler_is_stuck_gets_a_500_of_its_own() {
    let origin = Origin::start().await;
    let pushpin = Pushpin::start(origin.addr()).await;
    pushpin.process().signal_part("pushpin-handler", "STOP");
    let request = client().get(pushpin.url(COUNTER)).header("Accept", "text/event-stream");
    let answer = request.timeout(Duration::from_secs(30)).send().await.expect("an answer");
    pushpin.process().signal_part("pushpin-handler", "CONT");
    assert_eq!(answer.status(), 500);
    assert_eq!(header(&answer, "content-type"), "text/plain");
    assert_eq!(header(&answer, "access-control-allow-origin"), "");
    assert_eq!(answer.text().await.expect("a body"), "Accept service unavailable.\n");
    let mut later = Listener::connect(pushpin.addr(), COUNTER).await;
    assert_eq!(later.next(SOON).await.data, "26");
}

#[tokio::test]
async fn a_body_that_is_labelled_as_compressed_loses_its_label() {
    let app = TestApp::spawn().await;
    let pushpin = Pushpin::start(app.addr).await;
    let send = async |url: String| {
        let request = client().post(url).header("Content-Type", "application/json");
        let request = request.header("Content-Encoding", "gzip").body(r#"{"by":5}"#);
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(send(app.counter("2")).await, 415);
    assert_eq!(send(pushpin.url(COUNTER)).await, 200);
}

#[tokio::test]
async fn who_asks_for_a_100_in_capitals_gets_none() {
    let app = TestApp::spawn().await;
    let pushpin = Pushpin::start(app.addr).await;
    let ask = async |expect: &str| {
        let mut socket = TcpStream::connect(pushpin.addr()).await.expect("a connection");
        let head = format!(
            "POST {COUNTER} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\
             Expect: {expect}\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.expect("to send");
        socket
    };
    let (mut capital, mut small) = (ask("100-Continue").await, ask("100-continue").await);
    let mut said = [0; 12];
    timeout(SOON, small.read_exact(&mut said)).await.expect("an answer").expect("to receive");
    assert_eq!(&said, b"HTTP/1.1 100");
    for (socket, expected) in [(&mut capital, "HTTP/1.1 200"), (&mut small, " Continue")] {
        socket.write_all(br#"{"by":5}"#).await.expect("to send");
        let mut answer = String::new();
        timeout(SOON, socket.read_to_string(&mut answer)).await.expect("an answer").expect("to receive");
        assert!(answer.starts_with(expected), "{answer}");
        assert!(answer.contains("200 OK"), "{answer}");
    }
}
