//! `/nocount` and `/nocount/site` as JSON and as streams, with one address and with several.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};

use crate::counters::PURGED;
use crate::grip::{GRIP_URL, SECRET, claims, hs256};
use crate::support::app::TestApp;
use crate::support::deployment::on_each_deployment;
use crate::support::http::{Ask, client, header};
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::sse::{Event, Listener};

const SOON: Duration = Duration::from_secs(10);
/// The topics of the pages www.example.com/a and example.org.
const PAGE: &str = "page-JoDShKgqAQjUcOK_8rDqUg";
const SITE: &str = "site-www.example.com";
const REFERER: &str = "https://www.example.com/a";

async fn get(app: &impl Server, path: &str, accept: &str) -> Response {
    client().get(format!("http://{}{path}", app.addr())).header("accept", accept).answer().await
}

async fn json_of(app: &impl Server, path: &str) -> Value {
    get(app, path, "application/json").await.json().await.expect("JSON")
}

async fn count(app: &impl Server, page: &str) {
    assert_eq!(get(app, &format!("/count?url={page}"), "*/*").await.status(), 200, "{page}");
}

/// The topic and the value of an event.
fn told(event: &Event) -> (String, String) {
    let id = event.id.as_deref().expect("an id");
    (id.split_once('@').expect("a topic and a revision").0.to_owned(), event.data.clone())
}

#[tokio::test]
async fn json_says_which_page_and_topic_a_number_is_of() {
    on_each_deployment(&[], async |app| {
        for page in ["www.example.com/a", "www.example.com/b", "www.example.com/b"] {
            count(app, page).await;
        }
        let one = json!({"page": "www.example.com/a", "topic": PAGE, "value": 1});
        for url in
            ["www.example.com/a", "https%3A%2F%2FWWW.example.com%3A443%2Fa%3Fb", "www.example.com/a&x=y"]
        {
            assert_eq!(json_of(app, &format!("/nocount?url={url}")).await, one, "{url}");
        }
        let site = json!({"site": "www.example.com", "topic": SITE, "value": 3});
        assert_eq!(json_of(app, "/nocount/site?url=www.example.com/any").await, site);
        let several =
            json_of(app, "/nocount?url=www.example.com/b&url=www.example.com/a&url=//www.example.com/b")
                .await;
        assert_eq!(
            (several[0].clone(), several[1]["page"].as_str(), several[1]["value"].as_i64()),
            (one, Some("www.example.com/b"), Some(2))
        );
        assert_eq!(several.as_array().map(Vec::len), Some(2));
        let sites =
            json_of(app, "/nocount/site?url=www.example.com/b&url=example.org:81&url=www.example.com/a")
                .await;
        assert_eq!(
            sites,
            json!([{"site": "example.org:81", "topic": "site-example.org:81", "value": 0}, site])
        );
        // Pages of the hit-counter may give their address without encoding it, with a query of its own.
        for accept in ["*/*", "", "text/plain", "image/png", "text/html, */*;q=0.8", "\u{e9}"] {
            let answer =
                get(app, "/nocount?url=www.example.com/a&url=other.example&url=javascript:x", accept).await;
            assert_eq!(header(&answer, "content-type"), "text/plain; charset=utf-8", "{accept}");
            assert_eq!(answer.text().await.expect("a text"), "1", "{accept}");
        }
        assert_eq!(
            get(app, "/nocount/site?url=www.example.com", "*/*").await.text().await.expect("a text"),
            "3"
        );
    })
    .await;
}

#[tokio::test]
async fn a_page_and_a_site_are_streams_that_show_each_hit() {
    let app = TestApp::with(&[("LIVECOUNTER__PUBLISH__INTERVAL", "0ms")]).await;
    count(&app, "www.example.com/a").await;
    let mut page = Listener::connect(app.addr, "/nocount?url=www.example.com/a").await;
    let mut site = Listener::connect(app.addr, "/nocount/site?url=www.example.com").await;
    let mut both = Listener::connect(app.addr, "/nocount?url=www.example.com/b&url=www.example.com/a").await;
    let mut by_referer = Listener::connect_with(app.addr, "/nocount", &[("Referer", REFERER)]).await;
    let pair = |topic: &str, value: &str| (topic.to_owned(), value.to_owned());
    for listener in [&mut page, &mut by_referer] {
        assert_eq!(told(&listener.next(SOON).await), pair(PAGE, "1"));
    }
    assert_eq!(told(&site.next(SOON).await), pair(SITE, "1"));
    let other = json_of(&app, "/nocount?url=www.example.com/b").await;
    let other = other["topic"].as_str().expect("a topic");
    assert_eq!(
        [told(&both.next(SOON).await), told(&both.next(SOON).await)],
        [pair(PAGE, "1"), pair(other, "0")]
    );
    count(&app, "www.example.com/b").await;
    assert_eq!(told(&both.next(SOON).await), pair(other, "1"));
    assert_eq!(told(&site.next(SOON).await), pair(SITE, "2"));
    count(&app, "www.example.com/a").await;
    for listener in [&mut page, &mut by_referer, &mut both] {
        assert_eq!(told(&listener.next(SOON).await), pair(PAGE, "2"));
    }
    assert_eq!(told(&site.next(SOON).await), pair(SITE, "3"));
    for path in ["/nocount?url=example.com", "/nocount/site?url=example.com"] {
        let head = client().head(format!("{}{path}", app.address)).header("accept", "text/event-stream");
        let head = head.answer().await;
        assert_eq!((head.status().as_u16(), header(&head, "content-type")), (200, "text/event-stream"));
    }
}

#[tokio::test]
async fn a_cache_keeps_only_what_the_address_alone_decides() {
    let redis = RedisServer::start();
    let url = redis.url();
    let mut environment = vec![("REDIS_URL", url.as_str()), ("GRIP_URL", GRIP_URL)];
    environment.extend(PURGED);
    let app = TestApp::with(&environment).await;
    let token = hs256(SECRET, &claims("pushpin", 60));
    let ask = async |path: &str, accept: &str, grip: &str| {
        let request = client().get(format!("{}{path}", app.address)).header("accept", accept);
        let request = request.header("referer", REFERER).header("origin", "https://www.example.com");
        let request = request.header("cookie", "a=b");
        if grip.is_empty() { request.answer().await } else { request.header("grip-sig", grip).answer().await }
    };
    let never = "max-age=0, no-cache, no-store, must-revalidate";
    for (query, key, surrogate, origin, vary) in [
        ("?url=www.example.com/a", PAGE, "max-age=600, stale-if-error=86400", "*", "accept"),
        ("", "", "", "https://www.example.com", "origin"),
    ] {
        for (accept, grip) in [("*/*", ""), ("application/json", ""), ("text/event-stream", token.as_str())] {
            let answer = ask(&format!("/nocount{query}"), accept, grip).await;
            let control = match (grip, query) {
                ("", _) => never,
                (_, "") => "no-store, no-transform",
                _ => "no-cache, no-transform",
            };
            for (name, expected) in [
                ("surrogate-control", surrogate),
                ("surrogate-key", key),
                ("access-control-allow-origin", origin),
                ("vary", vary),
                ("cache-control", control),
                ("set-cookie", ""),
            ] {
                assert_eq!(header(&answer, name), expected, "{query} {accept} {name}");
            }
            if !grip.is_empty() {
                let link = format!("</topics/{PAGE}/recover>; rel=next; timeout=3");
                assert_eq!((header(&answer, "grip-hold"), header(&answer, "grip-link")), ("stream", &*link));
                assert_eq!(header(&answer, "grip-channel"), format!("{PAGE}; prev-id=0-0"));
            }
        }
    }
    let several = ask("/nocount/site?url=b.example&url=a.example/x", "text/event-stream", &token).await;
    assert_eq!(header(&several, "surrogate-key"), "site-a.example site-b.example");
    let link = "</topics/site-a.example+site-b.example/recover>; rel=next; timeout=3";
    assert_eq!(header(&several, "grip-link"), link);
}

#[tokio::test]
async fn bad_addresses_of_streams_are_refused_and_say_which_one_it_is() {
    let app = TestApp::with(&[("LIVECOUNTER__HITS__DENY", "/private")]).await;
    let many =
        |count: usize| (0..count).map(|n| format!("url=example.com/{n}")).collect::<Vec<_>>().join("&");
    let long = format!("url=a.example&url=example.com/{}", "a".repeat(10_000));
    for path in ["/nocount", "/nocount/site"] {
        for (query, status, says) in [
            ("", 404, "which page is meant?"),
            ("url=", 404, "which page is meant?"),
            ("url=a.example&url=", 404, "(number 2 of the list)"),
            ("url=javascript:alert(1)", 400, "begins with a host name"),
            ("url=a.example&url=javascript:alert(1)", 400, "www.example.com/page (number 2 of the list)"),
            ("url=exam%00ple.com&url=a.example", 400, "no control characters (number 1"),
            ("url=a.example&url=b.example/private", 403, "hits.deny covers it (number 2"),
            (long.as_str(), 400, "at most 4096 bytes"),
            (&"url=a&".repeat(2_000), 400, "this one names 2000"),
        ] {
            for accept in ["application/json", "text/event-stream"] {
                let answer = get(&app, &format!("{path}?{query}"), accept).await;
                assert_eq!(answer.status(), status, "{path} {query:.60}");
                let detail = answer.text().await.expect("a problem");
                assert!(detail.contains(says), "{path} {query:.60}: {detail}");
            }
        }
    }
    let refused = get(&app, &format!("/nocount?{}", many(21)), "text/event-stream").await;
    assert_eq!(refused.status(), 400);
    let detail = refused.text().await.expect("a problem");
    assert!(detail.contains("a list names at most 20 pages, this one names 21"), "{detail}");
    assert_eq!(json_of(&app, &format!("/nocount?{}", many(20))).await.as_array().map(Vec::len), Some(20));
    assert_eq!(json_of(&app, &format!("/nocount/site?{}", many(21))).await["site"], "example.com");
    let post = client().post(format!("{}/nocount/site?url=example.com", app.address)).answer().await;
    assert_eq!(post.status(), 405);
    let off = TestApp::with(&[("LIVECOUNTER__HITS__ENABLED", "false")]).await;
    assert_eq!(get(&off, "/nocount/site?url=example.com", "text/event-stream").await.status(), 404);
}
