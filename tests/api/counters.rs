//! Reading and adding, exactly as the contract says.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::app::{ANY_AMOUNT, TestApp};
use crate::support::http::{Ask, client};
use crate::support::server::Server;

/// The limit of values, 2^53-1.
const LIMIT: i64 = 9_007_199_254_740_991;

async fn text(response: reqwest::Response) -> String {
    response.text().await.expect("a text")
}

#[tokio::test]
async fn a_counter_starts_at_0_and_every_post_adds_one() {
    let app = TestApp::spawn().await;
    let read = app.get("/counters/2/").await;
    assert_eq!(read.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(text(read).await, "0\n");
    for expected in ["1\n", "2\n"] {
        let added = app.post("/counters/2/").await;
        assert_eq!(added.status(), StatusCode::OK);
        assert_eq!(added.headers()["cache-control"], "no-store");
        assert_eq!(text(added).await, expected);
    }
    assert_eq!(app.read("2").await, 2);
}

#[tokio::test]
async fn the_last_slash_is_optional() {
    let app = TestApp::spawn().await;
    assert_eq!(text(app.post("/counters/a.b_c~d-9").await).await, "1\n");
    assert_eq!(app.read("a.b_c~d-9").await, 1);
}

#[tokio::test]
async fn json_is_answered_where_it_is_accepted() {
    let app = TestApp::spawn().await;
    let client = client();
    for (request, expected) in [
        (client.post(app.counter("2")), json!({"id": "2", "value": 1})),
        (client.get(app.counter("2")), json!({"id": "2", "value": 1})),
    ] {
        let response = request.header("accept", "application/json").answer().await;
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.json::<Value>().await.expect("JSON"), expected);
    }
}

#[tokio::test]
async fn a_post_adds_any_whole_number() {
    let app = TestApp::spawn().await;
    let client = client();
    let counter = app.counter("2");
    assert_eq!(app.add_by("2", 40).await, 40);
    assert_eq!(client.post(&counter).json(&json!({"by": -15})).text().await, "25\n");
    let form = client.post(&counter).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.body("by=5").text().await, "30\n");
    assert_eq!(client.post(&counter).json(&json!({})).text().await, "31\n");
}

#[tokio::test]
async fn concurrent_posts_hand_out_every_value_once() {
    let app = TestApp::spawn().await;
    let client = client();
    let posts = (0..200).map(|_| {
        let request = client.post(app.counter("hot"));
        tokio::spawn(async move { request.text().await })
    });
    let mut values = Vec::new();
    for post in posts.collect::<Vec<_>>() {
        values.push(post.await.expect("a task").trim().parse::<u32>().expect("a number"));
    }
    values.sort_unstable();
    assert_eq!(values, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_step_beyond_the_limit_is_409_and_changes_nothing() {
    let app = TestApp::with(&[ANY_AMOUNT]).await;
    assert_eq!(app.add_by("2", LIMIT).await, LIMIT);
    let beyond = app.post("/counters/2/").await;
    assert_eq!(beyond.status(), StatusCode::CONFLICT);
    let problem: Value = beyond.json().await.expect("JSON");
    assert_eq!(problem["type"], "urn:livecounter:problem:out-of-range");
    assert_eq!(app.read("2").await, LIMIT);
    assert_eq!(app.add_by("2", -LIMIT).await, 0);
}

#[tokio::test]
async fn of_many_at_once_exactly_those_that_fit_below_the_limit_count() {
    let app = TestApp::with(&[ANY_AMOUNT]).await;
    let client = client();
    let counter = app.counter("2");
    app.add_by("2", LIMIT - 5).await;
    let posts = (0..40).map(|_| {
        let request = client.post(&counter);
        tokio::spawn(async move {
            let answer = request.answer().await;
            (answer.status().as_u16(), text(answer).await)
        })
    });
    let (mut values, mut refused) = (Vec::new(), 0);
    for post in posts.collect::<Vec<_>>() {
        match post.await.expect("a task") {
            (200, value) => values.push(value.trim().parse::<i64>().expect("a number")),
            (409, _) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    values.sort_unstable();
    assert_eq!(values, (LIMIT - 4..=LIMIT).collect::<Vec<_>>());
    assert_eq!(refused, 35);
}

#[tokio::test]
async fn the_same_key_counts_once_and_gets_the_same_answer() {
    let app = TestApp::spawn().await;
    let client = client();
    let post = async |counter: &str, by: &str, key: &str| {
        let url = format!("{}?by={by}", app.counter(counter));
        let response = client.post(url).header("idempotency-key", key).answer().await;
        (response.status().as_u16(), text(response).await)
    };
    assert_eq!(post("2", "5", "once").await, (200, "5\n".into()));
    assert_eq!(post("2", "1", "other").await, (200, "6\n".into()));
    assert_eq!(post("2", "5", "once").await, (200, "5\n".into()));
    assert_eq!(post("2", "5", "\"once\"").await, (200, "5\n".into()), "quoted, it is the same key");
    assert_eq!(post("3", "5", "once").await, (200, "5\n".into()), "on another counter it is another key");
    let (status, problem) = post("2", "6", "once").await;
    assert_eq!(status, 422);
    assert!(problem.contains("used with the amount 5"), "{problem}");
    assert_eq!(app.read("2").await, 6);
}

/// The settings with which an origin purges a cache; no server listens at this address.
pub(crate) const PURGED: [(&str, &str); 3] = [
    ("FASTLY_SERVICE_ID", "abc"),
    ("FASTLY_API_KEY", "hush"),
    ("LIVECOUNTER__FASTLY__API_URL", "http://127.0.0.1:9"),
];

#[tokio::test]
async fn the_cache_that_is_purged_may_keep_values_and_no_other_may() {
    let app = TestApp::with(&PURGED).await;
    let read = app.get("/counters/2/").await;
    assert_eq!(read.headers()["cache-control"], "no-cache");
    assert_eq!(read.headers()["surrogate-control"], "max-age=600, stale-if-error=86400");
    assert_eq!(read.headers()["surrogate-key"], "counter-2");
    assert_eq!(read.headers()["vary"], "accept");
    assert!(!read.headers().contains_key("x-request-id"), "a cache would repeat it to others");
    let mut settings = PURGED.to_vec();
    settings.extend([("LIVECOUNTER__CACHE__MAX_AGE", "5s"), ("LIVECOUNTER__CACHE__STALE_IF_ERROR", "1m")]);
    let shorter = TestApp::with(&settings).await;
    let read = shorter.get("/counters/2/").await;
    assert_eq!(read.headers()["surrogate-control"], "max-age=5, stale-if-error=60");
}

#[tokio::test]
async fn where_nothing_is_purged_no_cache_may_keep_a_value() {
    let app = TestApp::spawn().await;
    let read = app.get("/counters/2/").await;
    assert_eq!(read.headers()["cache-control"], "no-cache");
    assert_eq!(read.headers()["vary"], "accept");
    for name in ["surrogate-control", "surrogate-key", "expires"] {
        assert!(!read.headers().contains_key(name), "{name}");
    }
    assert!(read.headers().contains_key("x-request-id"));
}

#[tokio::test]
async fn a_value_that_the_client_has_is_304_until_it_changes() {
    for settings in [&[], &PURGED[..]] {
        let app = TestApp::with(settings).await;
        let client = client();
        let read = async |accept: &str, known: &str| {
            let request = client.get(app.counter("2")).header("accept", accept);
            request.header("if-none-match", known).answer().await
        };
        let mut tags = Vec::new();
        for accept in ["*/*", "application/json"] {
            let first = read(accept, "\"none\"").await;
            assert_eq!(first.status(), StatusCode::OK);
            let tag = first.headers()["etag"].to_str().expect("a text").to_owned();
            let again = read(accept, &tag).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{accept}");
            for name in ["etag", "cache-control", "vary", "surrogate-control", "surrogate-key"] {
                assert_eq!(again.headers().get(name), first.headers().get(name), "{accept}: {name}");
            }
            assert!(!again.headers().contains_key("content-length"));
            tags.push(tag);
        }
        assert_eq!(
            read("application/json", &tags[0]).await.status(),
            StatusCode::OK,
            "another representation"
        );
        app.add("2").await;
        let changed = read("*/*", &tags[0]).await;
        assert_eq!((changed.status(), text(changed).await.as_str()), (StatusCode::OK, "1\n"));
    }
}

#[tokio::test]
async fn every_origin_may_ask_and_read_errors_too() {
    let app = TestApp::spawn().await;
    for path in ["/counters/2/", "/counters/a%20b/", "/nothing"] {
        let answer = app.get(path).await;
        assert_eq!(answer.headers()["access-control-allow-origin"], "*", "{path}");
    }
}

#[tokio::test]
async fn only_known_counters_exist_where_they_are_listed() {
    let app = TestApp::with(&[("LIVECOUNTER__COUNTERS__KNOWN", "1,2")]).await;
    let client = client();
    assert_eq!(app.post("/counters/2/").await.status(), StatusCode::OK);
    for request in [client.get(app.counter("3")), client.post(app.counter("3"))] {
        let answer = request.answer().await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::spawn().await;
    let head = app.head("/counters/2/").await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.headers()["content-length"], "2");
    assert_eq!(head.headers()["etag"], "\"0\"");
    assert_eq!(text(head).await, "");
}
