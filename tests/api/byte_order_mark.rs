//! A byte order mark, which editors on Windows write at the beginning of a text, does no harm to a body.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::http::{Ask, client};

const MARK: &str = "\u{feff}";

#[tokio::test]
async fn a_statement_and_commands_may_begin_with_a_byte_order_mark() {
    let app = TestApp::spawn().await;
    let ask = async |path: &str, media: &str, body: String| {
        let request = client().post(format!("{}{path}", app.address)).header("content-type", media);
        let answer = request.body(body).answer().await;
        let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a text"));
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        (status, answer)
    };
    for (path, text) in [("/sql", "SELECT 1 AS n"), ("/exec", "list nothing")] {
        let expected = ask(path, "text/plain", text.to_owned()).await;
        assert_eq!(expected.0, 200, "{path}: {expected:?}");
        let marked = format!("{MARK}{text}");
        for (media, body) in [
            ("text/plain", marked.clone()),
            // As curl sends it.
            ("application/x-www-form-urlencoded", marked.clone()),
            ("application/json", format!("{MARK}{}", json!({"query": text}))),
            ("application/json", json!({"query": marked}).to_string()),
        ] {
            assert_eq!(ask(path, media, body).await, expected, "{path} {media}");
        }
        // The place of a mistake is that which an editor shows.
        let wrong = |mark: &str| ask(path, "text/plain", format!("{mark}{text} ,,"));
        let (marked, plain) = (wrong(MARK).await, wrong("").await);
        assert!((400..=422).contains(&plain.0) && plain.1.to_string().contains("column"), "{plain:?}");
        assert_eq!(marked, plain);
    }
}

#[tokio::test]
async fn json_may_begin_with_a_byte_order_mark() {
    let app = TestApp::spawn().await;
    let post = async |path: &str, body: &str| {
        let request =
            client().post(format!("{}{path}", app.address)).header("content-type", "application/json");
        request.body(format!("{MARK}{body}")).answer().await.status().as_u16()
    };
    assert_eq!(post("/counters/2/", r#"{"by":3}"#).await, 200);
    assert_eq!(client().get(app.counter("2")).text().await, "3\n");
    assert_eq!(post("/entity/a/k", r#"{"n":1}"#).await, 200);
    assert_eq!(post("/drop", r#"{"route":"a","key":"k","payload":{"n":2}}"#).await, 200);
    let entity: Value =
        client().get(format!("{}/entity/a/k", app.address)).answer().await.json().await.expect("JSON");
    assert_eq!(entity["payload"], json!({"n": 2}));
}
