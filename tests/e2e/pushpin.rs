//! Pushpin's behaviour that the documentation describes: with slow and failing origins, and where it changes requests and answers.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::origin::{Origin, event};
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};
use crate::support::process;
use crate::support::pushpin::Pushpin;
use crate::support::sse::Listener;

const COUNTER: &str = "/counters/2/";
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_item_waits_while_a_recovery_fails_and_comes_with_the_next_one() {
    let origin = Origin::start().await;
    origin.fail_recoveries();
    let pushpin = Pushpin::start(origin.addr()).await;
    let mut listener = Listener::connect(pushpin.addr(), COUNTER).await;
    assert_eq!(listener.next(SOON).await.data, "26");
    // A second after the channel's first subscription, Pushpin sends a recovery.
    let asked = async {
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        while !origin.requests().iter().any(|request| request.path.ends_with("/recover")) {
            poll.tick().await;
        }
    };
    timeout(SOON, asked).await.expect("a recovery");
    pushpin.publish("counter-2", "e-27", "e-26", &event(27)).await;
    // Pushpin repeats it a second later at the soonest.
    assert!(listener.try_next(Duration::from_millis(500)).await.is_none(), "held back, though it fits");
    origin.set_value(27);
    origin.mend();
    assert_eq!(listener.next(SOON).await.data, "27");
    // If Pushpin still holds the item with 27, which does not fit any more, it drops this one, too, and asks once more.
    origin.set_value(28);
    pushpin.publish("counter-2", "e-28", "e-27", &event(28)).await;
    assert_eq!(listener.next(SOON).await.data, "28", "once, and it still listens");
}

#[tokio::test]
async fn a_client_of_a_pushpin_whose_handler_is_stuck_gets_its_500() {
    let origin = Origin::start().await;
    let pushpin = Pushpin::start(origin.addr()).await;
    pushpin.process().signal_part("pushpin-handler", "STOP");
    let request = client().get(pushpin.url(COUNTER)).header("Accept", "text/event-stream");
    let answer = request.timeout(Duration::from_secs(30)).answer().await;
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
        request.answer().await.status().as_u16()
    };
    assert_eq!(send(app.counter("2")).await, 415);
    assert_eq!(send(pushpin.url(COUNTER)).await, 200);
}

#[tokio::test]
async fn a_client_that_asks_for_a_100_in_capitals_gets_none() {
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
    timeout(SOON, small.read_exact(&mut said)).await.expect("an answer in time").expect("to receive");
    assert_eq!(&said, b"HTTP/1.1 100");
    for (socket, expected) in [(&mut capital, "HTTP/1.1 200"), (&mut small, " Continue")] {
        socket.write_all(br#"{"by":5}"#).await.expect("to send");
        let mut answer = String::new();
        timeout(SOON, socket.read_to_string(&mut answer))
            .await
            .expect("an answer in time")
            .expect("to receive");
        assert!(answer.starts_with(expected), "{answer}");
        assert!(answer.contains("200 OK"), "{answer}");
    }
}

/// The services that pushpin/start writes into pushpin.conf for a version of Pushpin, and its options on the command line.
fn started_as(version: &str) -> (String, String) {
    let dir = process::directory();
    for (program, text) in [
        (
            "pushpin",
            format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'pushpin {version}' || echo \"$*\"\n"),
        ),
        ("zurl", "#!/bin/sh\n".to_owned()),
    ] {
        let path = dir.path().join(program);
        std::fs::write(&path, text).expect("to write a program");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("to set its mode");
    }
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").expect("a PATH"));
    let place = dir.path().join("place");
    let mut start = Command::new(process::repository("pushpin/start"));
    start.arg("--dir").arg(&place).env("PATH", path).env("GRIP_KEY", "the-key-of-a-test");
    let output = start.output().expect("pushpin/start");
    assert!(output.status.success(), "{output:?}");
    let config = std::fs::read_to_string(place.join("pushpin.conf")).expect("a configuration");
    let services = config.lines().find(|line| line.starts_with("services=")).expect("services");
    let options = String::from_utf8(output.stdout).expect("text");
    (
        services.to_owned(),
        options.replace(&format!("--config={}", place.join("pushpin.conf").display()), "CONFIG"),
    )
}

#[test]
fn pushpin_is_started_as_its_version_needs() {
    let (with_zurl, without) = (
        "services=condure,zurl,pushpin-proxy,pushpin-handler",
        "services=condure,pushpin-proxy,pushpin-handler",
    );
    for (version, services, options) in [
        ("1.36.0", with_zurl, "--merge-output CONFIG\n"),
        ("1.37.0", without, "--merge-output CONFIG\n"),
        ("1.41.0", without, "--merge-output CONFIG\n"),
        ("2.0.0-dev-20261127", without, "CONFIG\n"),
    ] {
        assert_eq!(started_as(version), (services.to_owned(), options.to_owned()), "{version}");
    }
}
