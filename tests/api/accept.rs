//! Content negotiation, as a client sees it.

use reqwest::StatusCode;

use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::server::Server;

#[tokio::test]
async fn an_accept_that_nothing_satisfies_is_406() {
    let app = TestApp::spawn().await;
    let client = client();
    for (request, named) in [
        (
            client.post(app.counter("2")).header("accept", "text/event-stream"),
            "is available as application/json and text/plain\"",
        ),
        (
            client.get(format!("{}/live/a", app.address)).header("accept", "application/json"),
            "is available as text/event-stream\"",
        ),
        (
            client.get(format!("{}/feed/a", app.address)).header("accept", "text/csv"),
            "is available as application/json\"",
        ),
        (
            client.get(format!("{}/entity/a/b", app.address)).header("accept", "text/plain"),
            "is available as text/event-stream and application/json\"",
        ),
        (
            client.get(format!("{}/nocount/top", app.address)).header("accept", "image/png"),
            "is available as application/json and text/plain\"",
        ),
        (
            client.get(app.counter("2") + "history").header("accept", "image/png"),
            "is available as application/json and text/csv\"",
        ),
    ] {
        let answer = request.answer().await;
        assert_eq!(answer.status(), StatusCode::NOT_ACCEPTABLE);
        let problem = answer.text().await.expect("a text");
        assert!(problem.contains(named), "{problem}");
    }
    assert_eq!(app.read("2").await, 0, "a POST that is refused counts nothing");
}

#[tokio::test]
async fn a_reader_that_accepts_no_form_of_a_number_gets_plain_text() {
    let app = TestApp::spawn().await;
    for (path, expected) in [
        ("/counters/2/", "0\n"),
        ("/counters/1,2/", "1 0\n2 0\n"),
        ("/topics/counter-2/", "counter-2 0\n"),
        ("/nocount?url=example.com", "0"),
    ] {
        for accept in ["image/png", "text/html", "application/json;q=0"] {
            let answer =
                client().get(format!("{}{path}", app.address)).header("accept", accept).answer().await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}, {accept}");
            assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8", "{path}, {accept}");
            assert_eq!(answer.text().await.expect("a text"), expected, "{path}, {accept}");
        }
    }
}

#[tokio::test]
async fn a_browser_s_address_bar_gets_the_plain_value() {
    let app = TestApp::spawn().await;
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    let answer = client().get(app.counter("2")).header("accept", accept).text().await;
    assert_eq!(answer, "0\n");
}
