//! An amount that cannot be added is a 400 that names the mistake, and the counter keeps its value.

use reqwest::RequestBuilder;

use crate::bad_input::problem;
use crate::support::deployment::{Deployment, on_each_deployment};
use crate::support::http::{Ask, client};
use crate::support::server::Server;

/// Each of these requests for the counter 2 is answered with 400 and a detail that begins so.
async fn refused(app: &Deployment, requests: impl IntoIterator<Item = (RequestBuilder, &str)>) {
    for (request, expected) in requests {
        let (status, detail) = problem(request.answer().await).await;
        assert_eq!(status, 400, "{detail}");
        assert!(detail.starts_with(expected), "{detail}");
    }
    assert_eq!(app.read("2").await, 0);
}

#[tokio::test]
async fn invalid_amounts_are_400_and_change_nothing() {
    on_each_deployment(&[], async |app| {
        let refusals = [
            ("0", "by must not be 0"),
            ("1.5", "by must be a whole number"),
            ("1e9", "by must be a whole number"),
            ("", "by must be a whole number"),
            ("ten", "by must be a whole number"),
            ("9007199254740992", "by must be within"),
            ("-9007199254740992", "by must be within"),
            ("99999999999999999999", "by must be within"),
            ("1&by=2", "by is given twice"),
        ];
        let post = |by| client().post(format!("{}?by={by}", app.counter("2")));
        refused(app, refusals.map(|(by, detail)| (post(by), detail))).await;
        let both = post("1").json(&serde_json::json!({"by": 1}));
        refused(app, [(both, "by is given in the query and in the body")]).await;
    })
    .await;
}

#[tokio::test]
async fn unknown_parameters_of_a_post_are_400_and_change_nothing() {
    on_each_deployment(&[], async |app| {
        let refusals = [
            ("amount=3", r#"the query has the unknown parameter "amount"; there is only by"#),
            ("BY=3", r#"the query has the unknown parameter "BY"; did you mean by?"#),
            ("by=3&bye=4", r#"the query has the unknown parameter "bye"; did you mean by?"#),
            ("3", r#"the query has the unknown parameter "3"; "#),
            ("=3", r#"the query has the unknown parameter ""; "#),
            ("by%20=3", r#"the query has the unknown parameter "by "; did you mean by?"#),
        ];
        let post = |query| client().post(format!("{}?{query}", app.counter("2")));
        refused(app, refusals.map(|(query, detail)| (post(query), detail))).await;
    })
    .await;
}

#[tokio::test]
async fn invalid_amounts_in_json_are_400_and_change_nothing() {
    on_each_deployment(&[], async |app| {
        let refusals = [
            (r#"{"by":0}"#, "by must not be 0"),
            (r#"{"by":1.5}"#, "by must be a whole number"),
            (r#"{"by":1e9}"#, "by must be a whole number"),
            (r#"{"by":"5"}"#, "the body must be JSON"),
            (r#"{"by":"#, "the body must be JSON"),
            (r#"{"bye":5}"#, "the body must be JSON"),
            ("[5]", "the body must be JSON"),
            ("null", "the body must be JSON"),
            (r#"{"by":null}"#, "the body must be JSON"),
            (r#"{"by":5,"by":6}"#, "the body must be JSON like {\"by\":5}: by is given twice"),
            (r#"{"by":5} {}"#, "the body must be JSON"),
            ("5", "the body must be JSON"),
        ];
        let json = || client().post(app.counter("2")).header("content-type", "application/json");
        refused(app, refusals.map(|(body, detail)| (json().body(body), detail))).await;
    })
    .await;
}

#[tokio::test]
async fn invalid_amounts_in_a_form_are_400_and_change_nothing() {
    on_each_deployment(&[], async |app| {
        let refusals = [
            // curl -d sends any body as a form.
            (
                r#"{"by":5}"#,
                r#"the body is a form with the unknown field "{\"by\":5}"; JSON needs Content-Type"#,
            ),
            ("bye=5", r#"the body is a form with the unknown field "bye""#),
            ("by=5&also=6", r#"the body is a form with the unknown field "also""#),
            ("by=5&by=6", "by is given twice in the body"),
            ("by=0", "by must not be 0"),
            ("5", r#"the body is a form with the unknown field "5""#),
        ];
        let form =
            || client().post(app.counter("2")).header("content-type", "application/x-www-form-urlencoded");
        refused(app, refusals.map(|(body, detail)| (form().body(body), detail))).await;
    })
    .await;
}

#[tokio::test]
async fn parameters_that_begin_with_an_underscore_are_left_alone() {
    on_each_deployment(&[], async |app| {
        for (query, expected) in [("_=1732", "1\n"), ("_by=7&by=2", "3\n"), ("_", "4\n"), ("", "5\n")] {
            let answer = client().post(format!("{}?{query}", app.counter("2"))).text().await;
            assert_eq!(answer, expected, "{query}");
        }
        let read = client().get(format!("{}?amount=3&BY=4", app.counter("2"))).text().await;
        assert_eq!(read, "5\n", "a read has none, and ignores all");
    })
    .await;
}
