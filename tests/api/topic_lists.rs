//! Counters, pages and sites together: in one answer, and in one stream.

use std::time::Duration;

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
/// The topic of the page www.example.com/a.
const PAGE: &str = "page-JoDShKgqAQjUcOK_8rDqUg";
const SITE: &str = "site-www.example.com";

async fn count(server: &impl Server, page: &str) {
    assert_eq!(server.get(&format!("/count?url={page}")).await.status(), 200, "{page}");
}

/// The topic and the value of an event.
fn told(event: &Event) -> (String, String) {
    let id = event.id.as_deref().expect("an id");
    (id.split_once('@').expect("a topic and a revision").0.to_owned(), event.data.clone())
}

fn pair(topic: &str, value: &str) -> (String, String) {
    (topic.to_owned(), value.to_owned())
}

#[tokio::test]
async fn topics_of_all_kinds_are_read_together_in_ascending_order() {
    on_each_deployment(&[], async |app| {
        app.add_by("2", 26).await;
        for page in ["www.example.com/a", "www.example.com/b"] {
            count(app, page).await;
        }
        let lines = format!("counter-2 26\n{PAGE} 1\n{SITE} 2\n");
        for list in [
            format!("{SITE},{PAGE},counter-2"),
            format!("{PAGE},counter-2,{PAGE},{SITE}"),
            format!("{PAGE}%2Ccounter%2d2%2c{SITE}"),
        ] {
            for slash in ["", "/"] {
                let url = format!("http://{}/topics/{list}{slash}", app.addr());
                assert_eq!(client().get(&url).text().await, lines, "{list}");
                let told = client().get(&url).header("accept", "application/json").text().await;
                let expected = json!([
                    {"topic": "counter-2", "value": 26}, {"topic": PAGE, "value": 1}, {"topic": SITE, "value": 2}
                ]);
                assert_eq!(serde_json::from_str::<Value>(&told).expect("JSON"), expected, "{list}");
            }
        }
        let one = client().get(format!("http://{}/topics/site-%5B::1%5D%3A81/", app.addr()));
        let one = one.header("accept", "application/json").text().await;
        assert_eq!(one, r#"[{"topic":"site-[::1]:81","value":0}]"#);
    })
    .await;
}

#[tokio::test]
async fn topics_have_a_validator_that_changes_with_each_of_their_values() {
    let app = TestApp::spawn().await;
    let url = format!("{}/topics/counter-2,{SITE}/", app.address);
    let first = client().get(&url).answer().await;
    let tag = header(&first, "etag").to_owned();
    let again = client().get(&url).header("if-none-match", &tag).answer().await;
    assert_eq!((again.status().as_u16(), again.text().await.expect("a body").as_str()), (304, ""));
    count(&app, "www.example.com/a").await;
    let changed = client().get(&url).header("if-none-match", &tag).answer().await;
    assert_eq!(changed.status(), 200);
    assert_eq!(header(&changed, "cache-control"), "no-cache");
}

#[tokio::test]
async fn one_stream_shows_the_changes_of_a_counter_a_page_and_its_site() {
    let app = TestApp::with(&[("LIVECOUNTER__PUBLISH__INTERVAL", "0ms")]).await;
    app.add_by("2", 26).await;
    let mut stream = Listener::connect(app.addr, &format!("/topics/{SITE},counter-2,{PAGE}/")).await;
    let mut first = Vec::new();
    for _ in 0..3 {
        first.push(told(&stream.next(SOON).await));
    }
    assert_eq!(first, [pair("2", "26"), pair(PAGE, "0"), pair(SITE, "0")]);
    assert!(stream.retry().is_some());
    app.add("2").await;
    assert_eq!(told(&stream.next(SOON).await), pair("2", "27"));
    for (page, of_page) in [("www.example.com/b", false), ("www.example.com/a", true)] {
        count(&app, page).await;
        let mut shown = vec![told(&stream.next(SOON).await)];
        if of_page {
            shown.push(told(&stream.next(SOON).await));
        }
        shown.sort();
        let site = pair(SITE, if of_page { "2" } else { "1" });
        assert_eq!(shown, if of_page { vec![pair(PAGE, "1"), site] } else { vec![site] });
    }
}

#[tokio::test]
async fn a_proxy_holds_a_channel_for_each_topic_and_recovers_by_names() {
    let redis = RedisServer::start();
    let url = redis.url();
    let mut environment = vec![("REDIS_URL", url.as_str()), ("GRIP_URL", GRIP_URL)];
    environment.extend(PURGED);
    let app = TestApp::with(&environment).await;
    let token = hs256(SECRET, &claims("pushpin", 60));
    let listen = async |path: &str, last: &str| {
        let request = client().get(format!("{}{path}", app.address)).header("accept", "text/event-stream");
        request.header("grip-sig", &token).header("grip-last", last).answer().await
    };
    let held = listen(&format!("/topics/site-[::1]:81,{PAGE},counter-2/"), "").await;
    for (name, expected) in [
        ("grip-hold", "stream"),
        ("grip-channel", &format!("counter-2; prev-id=0-0, {PAGE}; prev-id=0-0, site-[::1]:81; prev-id=0-0")),
        ("grip-link", &format!("</topics/counter-2+{PAGE}+site-%5B::1%5D:81/recover>; rel=next; timeout=3")),
        ("surrogate-key", &format!("counter-2 {PAGE} site-[::1]:81")),
        ("surrogate-control", "max-age=600, stale-if-error=86400"),
        ("cache-control", "no-cache, no-transform"),
        ("vary", "accept"),
    ] {
        assert_eq!(header(&held, name), expected);
    }
    let path = format!("/topics/counter-2+{PAGE}+site-%5B::1%5D:81/recover");
    let seen = format!("counter-2; last-id=0-0, {PAGE}; last-id=1f-3, site-[::1]:81; last-id=0-0");
    let missed = listen(&path, &seen).await;
    assert_eq!(header(&missed, "cache-control"), "no-store");
    assert_eq!(header(&missed, "grip-channel").split(", ").count(), 3);
    assert_eq!(header(&missed, "grip-link"), header(&held, "grip-link").replace("timeout=3", "timeout=15"));
    let body = missed.text().await.expect("a body");
    assert_eq!(body, format!("id: {PAGE}@0-0\nevent: message\ndata: 0\n\n"));
    let head = client().head(format!("{}/topics/counter-2/", app.address));
    let head = head.header("accept", "text/event-stream").header("grip-sig", &token).answer().await;
    assert_eq!((head.status().as_u16(), header(&head, "grip-hold")), (200, ""));
    assert_eq!(header(&head, "cache-control"), "no-store, no-transform");
    let canonical = client().get(format!("{}/topics/{SITE},counter-2", app.address));
    let canonical = canonical.header("x-canonical-path", "1").answer().await;
    let expected = format!("/topics/counter-2,{SITE}/");
    assert_eq!((canonical.status().as_u16(), header(&canonical, "location")), (308, expected.as_str()));
}

#[tokio::test]
async fn bad_lists_of_topics_are_refused_and_say_why() {
    on_each_deployment(&[], async |app| {
        let many = |count: usize| (0..count).map(|id| format!("counter-{id}")).collect::<Vec<_>>().join(",");
        let kind = "the name of a topic begins with counter-, page- or site-";
        for (list, says) in [
            ("2", kind),
            ("counter-1,", "page- or site- (number 2 of the list)"),
            ("import-0123456789abcdef0123456789abcdef", kind),
            ("entity-1", kind),
            ("counter-1+counter-2", "character 2 is another"),
            ("counter-1,counter-", "must not be empty (number 2"),
            ("counter-a%00", "character 2 is another"),
            ("counter-%C3%A9", "character 1 is another"),
            ("page-%00", "page- is followed by 22 characters"),
            ("page-JoDShKgqAQjUcOK_8rDqUh", "page- is followed by 22 characters"),
            ("counter-1,site-Example.com", "in small letters"),
            ("site-javascript:alert(1)", "site- is followed by a host"),
            ("site-example.com%2Fa", "site- is followed by a host"),
            (&format!("site-{}", "x".repeat(5_000)), "site- is followed by a host"),
            (&many(21), "a list names at most 20 topics, this one names 21"),
            (&",".repeat(10_000), "a list names at most 20 topics, this one names 10001"),
        ] {
            for (accept, end) in [("*/*", "/"), ("text/event-stream", "/"), ("*/*", "/recover")] {
                let list = if end == "/recover" { list.replace(',', "+") } else { list.to_owned() };
                // In a path of a recovery these are two names.
                if end == "/recover" && list == "counter-1+counter-2" {
                    continue;
                }
                let url = format!("http://{}/topics/{list}{end}", app.addr());
                let answer = client().get(url).header("accept", accept).answer().await;
                assert_eq!(answer.status(), 400, "{list:.60}{end}");
                let detail = answer.text().await.expect("a problem");
                assert!(detail.contains(says), "{list:.60}{end}: {detail}");
            }
        }
        assert_eq!(app.get(&format!("/topics/{}/", many(20))).await.status(), 200);
        let post = app.post("/topics/counter-1/").await;
        assert_eq!((post.status().as_u16(), header(&post, "allow")), (405, "GET, HEAD, OPTIONS"));
        assert_eq!(app.read("1").await, 0, "nothing was counted");
    })
    .await;
}

#[tokio::test]
async fn topics_that_the_service_does_not_have_are_refused_by_their_names() {
    let app = TestApp::with(&[
        ("LIVECOUNTER__COUNTERS__KNOWN", "1,2"),
        ("LIVECOUNTER__HITS__DENY", r"(^|\.)bad\.example"),
        ("LIVECOUNTER__HITS__ALLOW", "/blog"),
    ])
    .await;
    let ask = async |app: &TestApp, list: &str| {
        let answer = client().get(format!("{}/topics/{list}/", app.address)).answer().await;
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    };
    assert_eq!(ask(&app, &format!("counter-1,{PAGE},{SITE}")).await.0, 200);
    let (status, detail) = ask(&app, "counter-1,counter-3").await;
    assert!(status == 404 && detail.contains("there is no counter 3 here (number 2"), "{detail}");
    let (status, detail) = ask(&app, "counter-1,site-www.bad.example").await;
    assert!(status == 403 && detail.contains("hits.deny covers it"), "{detail}");
    let off = TestApp::with(&[("LIVECOUNTER__HITS__ENABLED", "false")]).await;
    assert_eq!(ask(&off, "counter-1").await.0, 200);
    for list in [PAGE, SITE] {
        let (status, detail) = ask(&off, list).await;
        assert!(status == 404 && detail.contains("hits.enabled is false"), "{detail}");
    }
}
