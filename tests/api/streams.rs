//! Streams held in this process.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::server::Server;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_stream_begins_with_the_value_and_goes_on_with_each_new_one() {
    let app = TestApp::spawn().await;
    app.add_by("2", 26).await;
    let mut stream = app.listen("2").await;
    assert_eq!(stream.header("content-type"), "text/event-stream");
    assert_eq!(
        stream.header("cache-control"),
        "no-store, no-transform",
        "an endless answer is not for caches"
    );
    assert_eq!(stream.header("x-accel-buffering"), "no");
    let first = stream.next(SOON).await;
    assert_eq!((first.event.as_deref(), first.data.as_str()), (Some("message"), "26"));
    for expected in ["27", "28"] {
        app.add("2").await;
        let event = stream.next(SOON).await;
        assert_eq!(event.data, expected);
        assert!(event.id.expect("an id").starts_with("2@"));
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_its_stream_without_chunks() {
    let app = TestApp::spawn().await;
    let mut socket = TcpStream::connect(app.addr).await.expect("a connection");
    let request = b"GET /counters/2/ HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n";
    socket.write_all(request).await.expect("to send");
    let mut answer = Vec::new();
    let first = async {
        while !answer.ends_with(b"data: 0\n\n") {
            assert_ne!(socket.read_buf(&mut answer).await.expect("to receive"), 0, "it goes on");
        }
    };
    tokio::time::timeout(SOON, first).await.expect("the first event");
    let answer = String::from_utf8(answer).expect("a text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    assert!(body.starts_with(':'), "{body:?}");
}

#[tokio::test]
async fn a_busy_counter_is_conflated_and_ends_with_its_last_value() {
    let app = TestApp::with(&[("LIVECOUNTER__PUBLISH__INTERVAL", "300ms")]).await;
    let mut stream = app.listen("2").await;
    assert_eq!(stream.next(SOON).await.data, "0");
    let began = Instant::now();
    for _ in 0..50 {
        app.add("2").await;
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&50) {
        seen.push(stream.next(SOON).await.data.parse::<u32>().expect("a number"));
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    // One at once, then one for each interval; on a busy machine the changes take some intervals.
    let most = 2 + began.elapsed().as_millis() / 300;
    assert!(seen.len() as u128 <= most, "{} events in {:?}: {seen:?}", seen.len(), began.elapsed());
}

#[tokio::test]
async fn with_interval_0_every_value_is_published() {
    let app = TestApp::with(&[("LIVECOUNTER__PUBLISH__INTERVAL", "0ms")]).await;
    let mut stream = app.listen("2").await;
    assert_eq!(stream.next(SOON).await.data, "0");
    for expected in ["1", "2", "3"] {
        app.add("2").await;
        assert_eq!(stream.next(SOON).await.data, expected);
    }
}

#[tokio::test]
async fn a_quiet_stream_gets_a_keep_alive_comment_every_20_seconds() {
    let app = TestApp::spawn().await;
    let silence = silence(&app).await;
    assert!((20.0..28.0).contains(&silence.as_secs_f64()), "{silence:?}");
}

#[tokio::test]
async fn how_long_a_stream_is_silent_can_be_set() {
    let app = TestApp::with(&[("LIVECOUNTER__STREAMS__KEEP_ALIVE", "2s")]).await;
    let silence = silence(&app).await;
    assert!((2.0..10.0).contains(&silence.as_secs_f64()), "{silence:?}");
}

/// How long the stream of an unchanged counter is silent after its first event, and the time that the first event takes: it may reach a busy
/// test long after the service has sent it.
async fn silence(app: &TestApp) -> Duration {
    let asked = Instant::now();
    let mut stream = app.listen("2").await;
    stream.next(SOON).await;
    let before = stream.comments().len();
    while stream.comments().len() == before {
        assert!(asked.elapsed() < Duration::from_secs(28), "silence");
        assert_eq!(stream.try_next(Duration::from_millis(100)).await, None);
    }
    asked.elapsed()
}

#[tokio::test]
async fn a_stream_is_these_bytes_and_no_block_of_it_is_empty() {
    let app = TestApp::with(&[("LIVECOUNTER__STREAMS__KEEP_ALIVE", "1s")]).await;
    app.add_by("2", 7).await;
    let request = client().get(app.counter("2")).header("accept", "text/event-stream");
    let mut stream = request.answer().await;
    let mut text = String::new();
    let mut until = async |end: &str| {
        while !text.ends_with(end) {
            let bytes = stream.chunk().await.expect("to receive").expect("it goes on");
            text.push_str(std::str::from_utf8(&bytes).expect("a text"));
        }
        std::mem::take(&mut text)
    };
    let opening = until("data: 7\n\n").await;
    let rest =
        opening.strip_prefix(&format!(":{}\nretry: ", " ".repeat(2048))).expect("a comment line, then retry");
    let (retry, rest) = rest.split_once('\n').expect("a line");
    assert!((1500..=3000).contains(&retry.parse::<u32>().expect("a number")), "{retry}");
    let id = rest.strip_prefix("id: 2@").and_then(|rest| rest.strip_suffix("\nevent: message\ndata: 7\n\n"));
    let (epoch, revision) = id.expect("one block").split_once('-').expect("epoch and revision");
    assert!(u64::from_str_radix(epoch, 16).is_ok() && revision == "1", "{rest}");
    assert_eq!(until(":\n").await, ":\n", "a line, and no end of a block");
    app.add("2").await;
    let next = until("data: 8\n\n").await;
    let next = next.trim_start_matches(":\n");
    assert_eq!(next, format!("id: 2@{epoch}-2\nevent: message\ndata: 8\n\n"));
}

#[tokio::test]
async fn values_of_other_counters_do_not_arrive() {
    let app = TestApp::spawn().await;
    let mut stream = app.listen("2").await;
    stream.next(SOON).await;
    app.add("3").await;
    app.add_by("2", 7).await;
    assert_eq!(stream.next(SOON).await.data, "7");
}

#[tokio::test]
async fn streams_end_with_the_service_and_values_survive_its_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let app = TestApp::in_directory(directory.path(), &[]).await;
    let mut stream = app.listen("2").await;
    stream.next(SOON).await;
    app.add("2").await;
    assert_eq!(stream.next(SOON).await.data, "1");
    assert!(app.stop().await, "everything pending is announced");
    assert!(stream.ends(SOON).await);
    let again = TestApp::in_directory(directory.path(), &[]).await;
    assert_eq!(again.read("2").await, 1);
}

#[tokio::test]
async fn listeners_that_leave_are_forgotten() {
    let app = TestApp::spawn().await;
    let count = async || {
        let text = app.metrics().await;
        let line = text.lines().find(|line| line.starts_with("livecounter_listeners ")).expect("the gauge");
        line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")
    };
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = app.listen("2").await;
        stream.next(SOON).await;
        streams.push(stream);
    }
    assert_eq!(count().await, 5.0);
    drop(streams);
    let mut poll = tokio::time::interval(Duration::from_millis(20));
    let gone = async {
        while count().await > 0.0 {
            poll.tick().await;
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("all listeners to be forgotten");
}
