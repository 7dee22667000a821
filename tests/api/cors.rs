//! The requests that pages of other origins may send, and the answers that they may read.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};

use crate::counters::PURGED;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};
use crate::support::server::Server;
use crate::support::sse::Listener;

const PAGE: &str = "https://elsewhere.example";

async fn preflight(app: &TestApp, path: &str, asked: &str) -> HeaderMap {
    let request = client().request(Method::OPTIONS, format!("{}{path}", app.address)).header("origin", PAGE);
    let request = request.header("access-control-request-method", "POST");
    let answer = request.header("access-control-request-headers", asked).answer().await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    answer.headers().clone()
}

/// Whether a browser lets a page of [`PAGE`] read this answer to a request with credentials.
fn accepts_credentials(answer: &reqwest::Response) -> bool {
    let named = header(answer, "access-control-allow-origin") == PAGE;
    let varies = answer.headers().get_all("vary").iter().any(|vary| vary == "origin");
    assert_eq!(named, varies, "what names an origin varies by it: {:?}", answer.headers());
    named && header(answer, "access-control-allow-credentials") == "true"
}

#[tokio::test]
async fn a_preflight_allows_whatever_headers_a_script_adds() {
    let app = TestApp::spawn().await;
    for asked in ["traceparent", "baggage,sentry-trace,traceparent", "idempotency-key, x-datadog-origin"] {
        let answer = preflight(&app, "/counters/2/", asked).await;
        assert_eq!(answer["access-control-allow-headers"], asked);
        assert_eq!(answer["access-control-allow-methods"], "GET, HEAD, POST, PUT, DELETE, OPTIONS");
        assert_eq!(answer["access-control-allow-origin"], PAGE);
        assert_eq!(answer["access-control-allow-credentials"], "true");
    }
}

#[tokio::test]
async fn a_preflight_repeats_nothing_that_is_no_list_of_headers() {
    let app = TestApp::spawn().await;
    for asked in ["", "a\tb", "<script>", "é", "*", &"x".repeat(1025)] {
        let answer = preflight(&app, "/counters/2/", asked).await;
        let allowed = answer["access-control-allow-headers"].to_str().expect("a text");
        assert!(allowed.contains("idempotency-key") && allowed.len() < 200, "{asked}: {allowed}");
    }
}

#[tokio::test]
async fn a_page_that_asks_with_credentials_may_read_the_answer() {
    let app = TestApp::spawn().await;
    let client = client();
    let counter = app.counter("2");
    for request in [
        client.get(&counter),
        client.post(&counter),
        client.post(format!("{counter}?by=0")),
        client.get(format!("{}/nothing", app.address)),
        client.get(format!("{}/openapi.json", app.address)),
    ] {
        let answer = request.header("origin", PAGE).answer().await;
        assert!(accepts_credentials(&answer), "{:?}", answer.headers());
        let exposed = header(&answer, "access-control-expose-headers");
        assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"), "{exposed}");
    }
    let stream = Listener::connect_with(app.addr, "/counters/2/", &[("Origin", PAGE)]).await;
    assert_eq!(stream.header("access-control-allow-origin"), PAGE);
    assert_eq!(stream.header("access-control-allow-credentials"), "true");
}

#[tokio::test]
async fn an_origin_that_is_missing_or_odd_is_not_repeated() {
    let app = TestApp::spawn().await;
    for origin in ["", "https://a b", "\u{e9}", &format!("https://{}", "x".repeat(300))] {
        let request = client().get(app.counter("2")).header("origin", origin.as_bytes());
        let answer = request.answer().await;
        assert_eq!(header(&answer, "access-control-allow-origin"), "*", "{origin:?}");
        assert_eq!(header(&answer, "access-control-allow-credentials"), "", "{origin:?}");
    }
    let answer = app.get("/counters/2/").await;
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
}

#[tokio::test]
async fn an_answer_that_is_kept_for_all_names_no_origin() {
    let app = TestApp::with(&PURGED).await;
    let read = client().get(app.counter("2")).header("origin", PAGE).answer().await;
    assert_eq!(header(&read, "access-control-allow-origin"), "*");
    assert_eq!(header(&read, "access-control-allow-credentials"), "");
    assert_eq!(read.headers().get_all("vary").iter().collect::<Vec<_>>(), ["accept"]);
    let added = client().post(app.counter("2")).header("origin", PAGE).answer().await;
    assert!(accepts_credentials(&added), "this one is not kept");
}

#[tokio::test]
async fn a_login_before_the_measurements_is_not_lent_to_other_pages() {
    let app = TestApp::spawn().await;
    let request = client().get(format!("{}/metrics", app.address)).header("origin", PAGE);
    let answer = request.answer().await;
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    assert_eq!(header(&answer, "access-control-allow-credentials"), "");
}

#[tokio::test]
async fn browsers_guess_no_type_of_any_answer() {
    let app = TestApp::spawn().await;
    for path in ["/counters/2/", "/nothing", "/", "/assets/home.js", "/healthz", "/metrics", "/openapi.json"]
    {
        let answer = app.get(path).await;
        let all: Vec<_> = answer.headers().get_all("x-content-type-options").iter().collect();
        assert_eq!(all, ["nosniff"], "{path}");
    }
}

#[tokio::test]
async fn a_beacon_counts() {
    let app = TestApp::spawn().await;
    let text = Some("text/plain;charset=UTF-8");
    for (kind, body, expected) in [
        (text, r#"{"by":5}"#, "5\n"),
        (text, "", "6\n"),
        (text, "{}", "7\n"),
        (None, r#"{"by":3}"#, "10\n"),
        (None, "", "11\n"),
    ] {
        let request = client().post(app.counter("2")).body(body);
        let request = kind.iter().fold(request, |request, kind| request.header("content-type", *kind));
        let answer = request.text().await;
        assert_eq!(answer, expected, "{kind:?} {body}");
    }
    let form = "--x\r\nContent-Disposition: form-data; name=\"by\"\r\n\r\n5\r\n--x--\r\n";
    let send = async |body: String| {
        let request =
            client().post(app.counter("2")).header("content-type", "multipart/form-data; boundary=x");
        let answer = request.body(body).answer().await;
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    };
    assert_eq!(send(form.to_owned()).await, (200, "16\n".to_owned()));
    assert_eq!(send("--x--\r\n".to_owned()).await, (200, "17\n".to_owned()), "an empty one");
    for (body, named) in [
        (form.replace("\"by\"", "\"bye\""), "unknown field"),
        (form.replace("\"by\"", "\"by\"; filename=\"by\""), "no multipart form"),
        (form.replace("--x--", ""), "no multipart form"),
        (form.replace("\n5", "\n0"), "by must not be 0"),
    ] {
        let (status, problem) = send(body).await;
        assert!(status == 400 && problem.contains(named), "{status} {problem}");
    }
    for body in ["5", "by=5", "hello"] {
        let request = client().post(app.counter("2")).header("content-type", "text/plain").body(body);
        assert_eq!(request.answer().await.status(), StatusCode::BAD_REQUEST, "{body}");
    }
}
