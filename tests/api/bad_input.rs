//! A request with a mistake is answered with a 4xx that names the mistake, and nothing is stored.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client};
use crate::support::raw::raw;
use crate::support::server::Server;

/// The status and the detail of a problem, whose other members are as they must be.
pub(crate) async fn problem(response: reqwest::Response) -> (u16, String) {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let status = response.status().as_u16();
    let problem: Value = response.json().await.expect("JSON");
    assert_eq!(problem["status"], status);
    assert!(problem["type"].as_str().expect("a type").starts_with("urn:livecounter:problem:"));
    assert!(problem["title"].is_string());
    (status, problem["detail"].as_str().expect("a detail").to_owned())
}

#[tokio::test]
async fn ids_outside_the_alphabet_are_400() {
    on_each_deployment(&[], async |app| {
        for (path, named) in [
            (format!("/counters/{}/", "x".repeat(65)), "at most 64 characters, this one has 65"),
            ("/counters//".into(), "must not be empty"),
            ("/counters//".into(), "must not be empty"),
            ("/counters/a%2Fb/".into(), "character 2 is another"),
            ("/counters/a%00b/".into(), "character 2 is another"),
            ("/counters/a%0Ab/".into(), "character 2 is another"),
            ("/counters/%FF%FE/".into(), "character 1 is another"),
            ("/counters/%C3%A9/".into(), "character 1 is another"),
            ("/counters/a%20b/".into(), "character 2 is another"),
            ("/counters/a%25b/".into(), "character 2 is another"),
            ("/counters/./".into(), "must not be . or .."),
            ("/counters/%2E%2E/".into(), "must not be . or .."),
        ] {
            for method in [Method::GET, Method::POST] {
                // The raw request: a client library would tidy the path first.
                let (status, body) = raw(app.addr, &format!("{method} {path} HTTP/1.1"), &[]).await;
                assert_eq!(status, 400, "{method} {path}: {body}");
                assert!(body.contains(named), "{method} {path}: {body}");
            }
        }
        let decoded = app.post("/counters/%41/").await;
        assert_eq!(decoded.status(), 200, "an escaped letter is that letter");
        let metrics = app.metrics().await;
        assert!(!metrics.contains("a%2F"), "no path becomes a label");
    })
    .await;
}

#[tokio::test]
async fn bodies_that_are_too_long_or_of_another_kind_are_refused() {
    on_each_deployment(&[], async |app| {
        let long =
            client().post(app.counter("2")).header("content-type", "application/json").body(" ".repeat(5000));
        assert_eq!(problem(long.answer().await).await.0, 413);
        let xml = client().post(app.counter("2")).header("content-type", "text/xml").body("<by>5</by>");
        let xml = xml.answer().await;
        assert!(!xml.headers().contains_key("accept-encoding"), "that would be about compression");
        assert_eq!(problem(xml).await.0, 415);
    })
    .await;
}

#[tokio::test]
async fn compressed_bodies_are_415_that_says_so_and_change_nothing() {
    on_each_deployment(&[], async |app| {
        let send = |codings: &'static [&'static str]| {
            let mut request = client().post(app.counter("2")).header("content-type", "application/json");
            for coding in codings {
                request = request.header("content-encoding", *coding);
            }
            async move { request.body(r#"{"by":5}"#).answer().await }
        };
        for codings in [&["gzip"] as &[_], &["br"], &["identity, gzip"], &["identity", "gzip"]] {
            let answer = send(codings).await;
            assert_eq!(answer.headers()["accept-encoding"], "identity");
            let told = (415, "the body must come without a Content-Encoding".to_owned());
            assert_eq!(problem(answer).await, told, "{codings:?}");
        }
        assert_eq!(send(&["Identity"]).await.text().await.expect("a text"), "5\n");
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408_and_changes_nothing() {
    let app = TestApp::spawn().await;
    let mut socket = TcpStream::connect(app.addr).await.expect("a connection");
    let head = format!("POST /counters/2/?by=1 HTTP/1.1\r\nHost: {}\r\nContent-Length: 4\r\n\r\nb", app.addr);
    socket.write_all(head.as_bytes()).await.expect("to send");
    let mut answer = vec![0; 1024];
    let length = tokio::time::timeout(Duration::from_secs(30), socket.read(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer[..length.expect("an answer in time").expect("to receive")]);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(app.read("2").await, 0);
}

#[tokio::test]
async fn invalid_idempotency_keys_are_400() {
    on_each_deployment(&[], async |app| {
        for key in ["k".repeat(256), "a b".into(), "\"".into(), "\"\"".into()] {
            let request = client().post(app.counter("2")).header("idempotency-key", &key);
            let (status, detail) = problem(request.answer().await).await;
            assert_eq!(status, 400);
            assert!(detail.starts_with("Idempotency-Key"), "{detail}");
        }
        let twice =
            client().post(app.counter("2")).header("idempotency-key", "a").header("idempotency-key", "b");
        let (status, detail) = problem(twice.answer().await).await;
        assert_eq!((status, detail.as_str()), (400, "Idempotency-Key is given twice"));
    })
    .await;
}

#[tokio::test]
async fn other_methods_are_405_with_allow() {
    on_each_deployment(&[], async |app| {
        for (path, allow) in [
            ("/counters/2/", "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
            ("/counters/", "GET, HEAD, OPTIONS"),
            ("/healthz", "GET, HEAD, OPTIONS"),
        ] {
            let request = client().request(Method::PATCH, format!("{}{path}", app.address));
            let answer = request.answer().await;
            assert_eq!(answer.headers()["allow"], allow);
            assert_eq!(problem(answer).await.0, 405);
        }
    })
    .await;
}

#[tokio::test]
async fn requests_for_no_resource_are_answered_in_the_usual_form() {
    let app = TestApp::spawn().await;
    for (line, expected, named) in [
        ("CONNECT example.org:443 HTTP/1.1", 501, "not-implemented"),
        ("CONNECT /counters/2/ HTTP/1.1", 405, "method-not-allowed"),
        ("TRACE /counters/2/ HTTP/1.1", 405, "method-not-allowed"),
        ("BREW /counters/2/ HTTP/1.1", 405, "method-not-allowed"),
        ("BREW /nothing HTTP/1.1", 404, "not-found"),
        ("GET * HTTP/1.1", 400, "bad-request"),
        ("GET example.org:80 HTTP/1.1", 400, "bad-request"),
    ] {
        let (status, answer) = raw(app.addr, line, &[]).await;
        assert_eq!(status, expected, "{line}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(body.contains(&format!("urn:livecounter:problem:{named}")), "{line}: {answer}");
        assert!(head.contains("access-control-allow-origin: *") && head.contains("x-request-id"), "{head}");
        assert_eq!(head.contains("allow: GET, HEAD"), expected == 405, "{line}: {head}");
    }
    let (status, answer) = raw(app.addr, "OPTIONS * HTTP/1.1", &[]).await;
    assert_eq!(status, 204, "{answer}");
    assert!(answer.contains("\r\nallow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n"), "{answer}");
}

#[tokio::test]
async fn a_post_over_http_1_0_without_a_length_has_no_body() {
    let app = TestApp::spawn().await;
    for (headers, expected) in [(&[][..], "1"), (&[("Content-Length", "0")], "2")] {
        let (status, answer) = raw(app.addr, "POST /counters/2/ HTTP/1.0", headers).await;
        assert!(status == 200 && answer.ends_with(&format!("\r\n\r\n{expected}\n")), "{answer}");
    }
}

#[tokio::test]
async fn no_field_of_a_request_can_inject_a_header() {
    on_each_deployment(&[], async |app| {
        for request in [
            "GET /counters/a%0d%0aX-Injected:%20yes/ HTTP/1.1",
            "POST /counters/2/?by=1%0d%0aX-Injected:%20yes HTTP/1.1",
            "GET /nothing%0d%0aX-Injected:%20yes HTTP/1.1",
        ] {
            let (status, answer) =
                raw(app.addr, request, &[("X-Request-Id", "a%0d%0aX-Injected: yes")]).await;
            assert!((400..500).contains(&status), "{answer}");
            let head = answer.split("\r\n\r\n").next().expect("a head").to_ascii_lowercase();
            assert!(!head.contains("\nx-injected"), "{answer}");
        }
    })
    .await;
}
