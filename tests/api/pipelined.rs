//! Requests that a client sends without waiting for the answer to the one before: each is answered as if it came alone.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connections::{SOON, connect};
use crate::support::app::TestApp;
use crate::support::raw::{header, status};

/// A request with these lines behind the host's, and this body.
fn request(method: &str, path: &str, lines: &str, body: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n{body}")
}

/// Sends the text in parts of this many bytes, one after the other, and reads until the server closes the connection.
async fn answers(address: SocketAddr, text: &str, part: usize) -> String {
    let mut stream = connect(address).await;
    let mut answer = Vec::new();
    let exchange = async {
        stream.set_nodelay(true).expect("an option");
        for part in text.as_bytes().chunks(part) {
            stream.write_all(part).await.expect("to send");
            // The server may take each part by itself.
            tokio::task::yield_now().await;
        }
        // A reset ends the connection, too.
        let _ = stream.read_to_end(&mut answer).await;
    };
    tokio::time::timeout(SOON, exchange).await.expect("an end in time");
    String::from_utf8(answer).expect("a text")
}

/// The head and the body of the first answer, which is for a request with this method; and all that follows.
fn first<'a>(answers: &'a str, method: &str) -> (&'a str, &'a str, &'a str) {
    let (head, rest) = answers.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answers:?}"));
    let length = if method == "HEAD" { 0 } else { header(head, "content-length").parse().unwrap_or(0) };
    assert!(rest.len() >= length, "{head}\n\n{rest:?} is not {length} bytes");
    (head, &rest[..length], &rest[length..])
}

#[tokio::test]
async fn each_answer_has_the_form_that_its_own_request_asks_for() {
    let app = TestApp::spawn().await;
    let json = r#"{"by":1}"#;
    let with_body = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
    let requests = [
        ("POST", request("POST", "/counters/a/", "", ""), "1\n"),
        ("HEAD", request("HEAD", "/counters/a/", "", ""), ""),
        ("POST", request("POST", "/counters/a/", &with_body, json), "2\n"),
        ("HEAD", request("HEAD", "/nothing", "", ""), ""),
        ("GET", request("GET", "/counters/a/", "", ""), "2\n"),
        ("HEAD", request("HEAD", "/counters/a/history", "", ""), ""),
        ("POST", request("POST", "/counters/a/", "", ""), "3\n"),
        ("HEAD", request("HEAD", "/counters/a/", "", ""), ""),
        ("POST", request("POST", "/counters/a/", "", ""), "4\n"),
        ("GET", request("GET", "/counters/a/", "Connection: close\r\n", ""), "4\n"),
    ];
    let whole: String = requests.iter().map(|(_, text, _)| text.as_str()).collect();
    let answers = answers(app.addr, &whole, usize::MAX).await;
    let mut rest = answers.as_str();
    for (method, text, body) in &requests {
        let answer = first(rest, method);
        assert_eq!(answer.1, *body, "{text:?} in {answers}");
        rest = answer.2;
    }
    assert_eq!(rest, "");
}

#[tokio::test]
async fn the_body_of_a_get_is_not_read_before_its_answer() {
    let app = TestApp::spawn().await;
    for id in ["a", "b", "c"] {
        let get = request("GET", &format!("/counters/{id}/"), "Content-Length: 7\r\n", "ignored");
        let head = request("HEAD", &format!("/counters/{id}/"), "Connection: close\r\n", "");
        let answers = answers(app.addr, &(get + &head), usize::MAX).await;
        let (get, body, rest) = first(&answers, "GET");
        assert_eq!((status(get), body), (200, "0\n"), "{answers}");
        // The connection ends if the answer was there before the body was.
        assert!(rest.is_empty() == (header(get, "connection") == "close"), "{answers}");
        assert!(rest.is_empty() || first(rest, "HEAD").2.is_empty(), "{answers}");
    }
}

/// However the bytes come, they are the same requests.
#[tokio::test]
async fn requests_that_come_in_parts_are_answered_as_in_one() {
    let app = TestApp::spawn().await;
    let ask = |id: &str| {
        let path = format!("/counters/{id}/");
        let json = "{\n\n\"by\":1}";
        let with_body = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
        let chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
        [
            request("POST", &path, "", ""),
            request("HEAD", &path, "", ""),
            request("POST", &path, &with_body, json),
            request("POST", &path, chunked, "2\r\n{\n\r\n8\r\n\n\"by\":1}\r\n0\r\n\r\n"),
            request("HEAD", &path, "Connection: close\r\n", ""),
        ]
        .concat()
    };
    for part in [1, 2, 3, 7, 50, 60, 70, usize::MAX] {
        let answers = answers(app.addr, &ask(&format!("in-{part}")), part).await;
        let mut rest = answers.as_str();
        for (method, body) in [("POST", "1\n"), ("HEAD", ""), ("POST", "2\n"), ("POST", "3\n"), ("HEAD", "")]
        {
            let answer = first(rest, method);
            assert_eq!((status(answer.0), answer.1), (200, body), "in parts of {part}: {answers}");
            rest = answer.2;
        }
        assert_eq!(rest, "", "in parts of {part}");
    }
}

#[tokio::test]
async fn nothing_is_counted_behind_an_answer_that_ends_the_connection() {
    let app = TestApp::spawn().await;
    let post = request("POST", "/counters/behind/", "", "");
    for lines in [
        "Connection: close\r\n",
        "Connection: upgrade\r\n",
        "Connection: upgrade\r\nUpgrade: h2c\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\n",
    ] {
        let get = request("GET", "/counters/a/", lines, "");
        let answers = answers(app.addr, &(get + &post), usize::MAX).await;
        let (head, _, rest) = first(&answers, "GET");
        assert_eq!((header(head, "connection"), rest), ("close", ""), "{lines:?}: {answers}");
    }
    let read =
        answers(app.addr, &request("GET", "/counters/behind/", "Connection: close\r\n", ""), usize::MAX)
            .await;
    assert_eq!(first(&read, "GET").1, "0\n");
}
