//! Bytes in requests that no client library would send: none of them comes back as a header, and the service goes on.

use crate::grip::SECRET;
use crate::support::app::TestApp;
use crate::support::raw::raw_head;
use crate::support::server::Server;
use crate::witness::Witness;

/// Headers of requests, each with a valid value.
const FIELDS: [(&str, &str); 7] = [
    ("X-Request-Id", "abc"),
    ("Accept", "text/plain"),
    ("Last-Event-ID", "a680fad99c07-1"),
    ("Idempotency-Key", "abc"),
    ("Grip-Sig", "abc"),
    ("Origin", "https://elsewhere.example"),
    ("Grip-Last", "counter-2; last-id=abc"),
];

/// Bytes that might end a value or a line too early: bare line ends, folded lines, control characters, bytes that are no text.
const BREAKS: [&[u8]; 11] =
    [b"\r", b"\n", b"\r\n", b"\0", b"\r\n ", b"\r\n\t", b"\n ", b"\t", b"\x0b", b"\x7f", b"\xff\xfe"];

async fn service(proxy: &Witness) -> TestApp {
    TestApp::with(&[("GRIP_URL", &format!("http://{}/?iss=pushpin&key={SECRET}", proxy.addr))]).await
}

/// A request whose target or whose headers have these bytes in them.
fn request(method: &str, target: &[u8], headers: &[u8]) -> Vec<u8> {
    let (method, rest) = (method.as_bytes(), b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n".as_slice());
    [method, b" ", target, rest, headers, b"\r\n"].concat()
}

/// Returns the status, and asserts that no header of the request is in the head of the answer.
async fn status(app: &TestApp, request: &[u8]) -> u16 {
    let (status, head) = raw_head(app.addr, request).await;
    let sent = String::from_utf8_lossy(request);
    assert!(!head.to_ascii_lowercase().contains("injected"), "{sent:?}: {head}");
    assert!(status < 500, "{sent:?}: {head}");
    status
}

#[tokio::test]
async fn no_raw_bytes_in_a_header_come_back_as_a_header() {
    let proxy = Witness::start().await;
    let app = service(&proxy).await;
    for (name, value) in FIELDS {
        for odd in BREAKS {
            let field = [name.as_bytes(), b": ", value.as_bytes(), odd, b"X-Injected: yes\r\n"].concat();
            status(&app, &request("GET", b"/counters/2/", &field)).await;
            status(&app, &request("POST", b"/counters/2/", &field)).await;
            if name != "Accept" {
                let stream = [b"Accept: text/event-stream\r\n", field.as_slice()].concat();
                status(&app, &request("GET", b"/counters/2/", &stream)).await;
            }
        }
    }
    let read = app.get("/counters/2/").await;
    assert_eq!(read.status(), 200, "it serves as before");
}

#[tokio::test]
async fn raw_bytes_in_a_path_or_a_query_are_400_and_change_nothing() {
    let proxy = Witness::start().await;
    let app = service(&proxy).await;
    for odd in BREAKS.into_iter().chain([b"\x01".as_slice(), b"\x1b", b"\x80", b"\xc3\xa9", b"\xed\xa0\x80"])
    {
        for (before, after) in
            [("/counters/a", "b/"), ("/counters/2/?by=1", ""), ("/counters/2/?", "=1&by=1")]
        {
            let target = [before.as_bytes(), odd, b"X-Injected:yes", after.as_bytes()].concat();
            for method in ["GET", "POST"] {
                let request = request(method, &target, b"");
                assert_eq!(status(&app, &request).await, 400, "{:?}", String::from_utf8_lossy(&request));
            }
        }
    }
    assert_eq!(app.read("2").await, 0);
}
