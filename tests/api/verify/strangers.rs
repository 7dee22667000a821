//! Servers that are no livecounter, or one that something in front has changed. Each run must end, and say what is wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::app::TestApp;
use crate::support::raw::read_request;
use crate::support::verify::{PATIENT, Verified, verify};

/// How long a step may take where what is awaited never comes.
const SHORT: [&str; 2] = ["--timeout", "10s"];

/// What a stranger sends.
#[derive(Clone)]
enum Words {
    /// These bytes; then it closes the connection.
    Once(String),
    /// Nothing, and keeps the connection.
    Nothing,
    /// The first text, then the second without end.
    WithoutEnd(&'static str, &'static str),
}

/// A server of the test's own, ended when dropped.
struct Stranger {
    url: String,
    serving: JoinHandle<()>,
}

impl Stranger {
    /// Answers each request by its head.
    async fn start(words: impl Fn(&str) -> Words + Send + Sync + 'static) -> Stranger {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("its address");
        let words = Arc::new(words);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let words = Arc::clone(&words);
                tokio::spawn(async move { answer(stream, &*words).await });
            }
        });
        Stranger { url: format!("http://{address}"), serving }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(mut stream: TcpStream, words: &(impl Fn(&str) -> Words + Sync)) {
    let Some((head, _)) = read_request(&mut stream).await else { return };
    match words(&head) {
        Words::Once(text) => drop(stream.write_all(text.as_bytes()).await),
        Words::Nothing => std::future::pending().await,
        Words::WithoutEnd(first, again) => {
            let mut sent = stream.write_all(first.as_bytes()).await;
            let again = again.repeat(100);
            while sent.is_ok() {
                sent = stream.write_all(again.as_bytes()).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

fn whole(status: &str, kind: &str, body: &str) -> Words {
    let length = body.len();
    Words::Once(format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}

/// Panics unless reading failed with these texts, and all other checks were skipped.
#[track_caller]
fn assert_not_read(verified: &Verified, texts: &[&str]) {
    assert_eq!(verified.status, Some(1), "{verified:?}");
    verified.assert_line("read", "failed", texts);
    verified.assert_line("others", "skipped", &["the counter cannot be read; checks left out: 12"]);
    assert_eq!(verified.output.lines().count(), 3, "{}", verified.output);
    assert!(verified.output.ends_with("0 ok, 1 failed, 12 skipped\n"), "{}", verified.output);
}

#[tokio::test]
async fn what_is_no_livecounter_is_told() {
    for (status, kind, body, texts) in [
        ("200 OK", "text/html", "<h1>It works</h1>", ["200, \"text/html\"", "It works"]),
        ("404 Not Found", "text/html", "nothing", ["404", "is this the address of livecounter"]),
        ("401 Unauthorized", "text/html", "", ["401", "asks for a login"]),
        (
            "400 Bad Request",
            "",
            "Client sent an HTTP request to an HTTPS server.",
            ["400 that begins \"Client", "speaks TLS"],
        ),
        ("502 Bad Gateway", "text/html", "nginx", ["502", "does not reach the service"]),
        ("200 OK", "application/json", "{\"id\":\"other\",\"value\":1}", ["200", "other"]),
        ("200 OK", "application/json", "{\"id\":\"verify\",\"value\":1e9}", ["200", "1e9"]),
        ("200 OK", "text/plain", "\u{1b}]0;title\u{7}", ["200", "\\u{1b}]0;title\\u{7}"]),
    ] {
        let stranger = Stranger::start(move |_| whole(status, kind, body)).await;
        assert_not_read(&verify(&stranger.url, &PATIENT).await, &texts);
    }
}

#[tokio::test]
async fn servers_that_never_answer_or_never_end_are_left() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    for (words, texts) in [
        (Words::Nothing, &["no complete answer within 10s"][..]),
        (Words::Once(String::new()), &["no answer"]),
        (Words::Once("SSH-2.0-server\r\n".to_owned()), &["no answer"]),
        (Words::WithoutEnd(HEAD, "{\"id\":\"verify\",\"value\":"), &["more than 64 KiB"]),
        (Words::WithoutEnd("HTTP/1.1 200 OK\r\n", "x-header: a header without end\r\n"), &["no answer"]),
    ] {
        let stranger = Stranger::start(move |_| words.clone()).await;
        assert_not_read(&verify(&stranger.url, &SHORT).await, texts);
    }
}

#[tokio::test]
async fn streams_that_say_no_event_are_told() {
    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n";
    const COMPRESSED: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nContent-Encoding: br\r\n\r\n";
    const KEPT: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: max-age=60\r\n\r\n\
                        id: verify@a-1\ndata: 1\n\n";
    for (words, texts) in [
        (Words::WithoutEnd(HEAD, "data"), &["longer than 16 KiB"][..]),
        (Words::WithoutEnd(HEAD, "data: 1\n"), &["longer than 16 KiB"]),
        (Words::WithoutEnd(HEAD, "id: other@a-1\ndata: 1\n\n"), &["none of the counter", "other@a-1"]),
        (Words::WithoutEnd(HEAD, "id: verify@a-1\ndata: one\n\n"), &["none of the counter", "one"]),
        (Words::Once(HEAD.to_owned()), &["the stream has ended"]),
        (Words::WithoutEnd(COMPRESSED, "x"), &["compressed (\"br\")", "no-transform"]),
        (Words::Once(KEPT.to_owned()), &["Cache-Control: \"max-age=60\"", "neither no-cache nor no-store"]),
    ] {
        let stranger = Stranger::start(move |head| {
            let read = || whole("200 OK", "application/json", "{\"id\":\"verify\",\"value\":1}");
            if head.to_ascii_lowercase().contains("accept: text/event-stream") {
                words.clone()
            } else {
                read()
            }
        });
        let verified = verify(&stranger.await.url, &PATIENT).await;
        assert_eq!(verified.status, Some(1), "{verified:?}");
        verified.assert_line("read", "ok", &["is at 1"]);
        verified.assert_line("stream", "failed", texts);
        verified.assert_line("list", "skipped", &["no stream"]);
    }
}

#[tokio::test]
async fn a_stream_that_is_held_back_is_told() {
    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n";
    let stranger = Stranger::start(|head| {
        let read = || whole("200 OK", "application/json", "{\"id\":\"verify\",\"value\":1}");
        let listens = head.to_ascii_lowercase().contains("accept: text/event-stream");
        if listens { Words::WithoutEnd(HEAD, ":\n:\n\n") } else { read() }
    });
    let verified = verify(&stranger.await.url, &SHORT).await;
    assert_eq!(verified.status, Some(1), "{verified:?}");
    verified.assert_line("stream", "failed", &["no event within 10s", "buffers answers", "proxy_buffering"]);
    verified.assert_line("reconnect", "skipped", &["no stream"]);
}

#[tokio::test]
async fn a_stream_that_is_held_back_while_it_is_compressed_is_told() {
    let stranger = Stranger::start(|head| {
        let head = head.to_ascii_lowercase();
        match (head.contains("accept: text/event-stream"), head.contains("accept-encoding:")) {
            (true, true) => Words::Nothing,
            (true, false) => whole("200 OK", "text/event-stream", "id: verify@a-1\ndata: 1\n\n"),
            _ => whole("200 OK", "application/json", "{\"id\":\"verify\",\"value\":1}"),
        }
    });
    let verified = verify(&stranger.await.url, &SHORT).await;
    assert_eq!(verified.status, Some(1), "{verified:?}");
    verified.assert_line("stream", "failed", &["within 10s", "compresses the stream and holds it back"]);
}

#[tokio::test]
async fn answers_that_something_in_front_has_changed_are_told() {
    let stranger = Stranger::start(|head| {
        let method = head.split(' ').next().unwrap_or_default();
        match method {
            "GET" => whole("200 OK", "application/json", "{\"id\":\"verify\",\"value\":7}"),
            "HEAD" => whole("405 Method Not Allowed", "text/html", ""),
            _ => whole("200 OK", "application/json", "{\"id\":\"verify\",\"value\":7}"),
        }
    });
    let verified = verify(&stranger.await.url, &PATIENT).await;
    assert_eq!(verified.status, Some(1), "{verified:?}");
    verified.assert_line("errors", "failed", &["200", "proxy_intercept_errors"]);
    verified.assert_line("cors", "failed", &["no access-control-allow-origin"]);
    verified.assert_line("head", "failed", &["405", "refuses HEAD"]);
    verified.assert_line("stream", "failed", &["obey Vary"]);
    verified.assert_line("add", "failed", &["POST is answered 7, and 7 was read before"]);
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_host_only() {
    fn moved(to: String) -> impl Fn(&str) -> Words {
        move |_| {
            Words::Once(format!(
                "HTTP/1.1 308 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            ))
        }
    }
    let app = TestApp::spawn().await;
    let same = Stranger::start(moved(app.counter("verify"))).await;
    let verified = verify(&same.url, &PATIENT).await;
    verified.assert_all_ok();
    verified.assert_line("read", "ok", &["redirected to", &app.address]);
    let other = Stranger::start(moved("https://counters.example.com/counters/verify/".into())).await;
    assert_not_read(
        &verify(&other.url, &PATIENT).await,
        &["308", "another host", "https://counters.example.com/"],
    );
    let itself = Stranger::start(moved("/counters/verify/".into())).await;
    assert_not_read(&verify(&itself.url, &PATIENT).await, &["more than 3 redirects"]);
}
