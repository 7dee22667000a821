//! Badges of counters: the picture and its JSON, in process and with Redis.

use serde_json::Value;

use crate::history::until_value;
use crate::support::app::{ANY_AMOUNT, TestApp};
use crate::support::deployment::PROXY_URL;
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::wait::until_an_hour_has_time;

/// The service in process, and with Redis, with these settings.
async fn in_process_and_with_redis(settings: &[(&str, &str)], test: impl AsyncFn(&TestApp)) {
    test(&TestApp::with(settings).await).await;
    let redis = RedisServer::start();
    let url = redis.url();
    let settings = [settings, &[("REDIS_URL", url.as_str()), ("GRIP_URL", PROXY_URL.as_str())]].concat();
    test(&TestApp::with(&settings).await).await;
}

fn svg(app: &TestApp, id: &str, query: &str) -> String {
    format!("{}/counters/{id}/badge.svg{query}", app.address)
}

fn json(app: &TestApp, id: &str, query: &str) -> String {
    format!("{}/counters/{id}/badge.json{query}", app.address)
}

/// The message of the badge.
async fn message(app: &TestApp, id: &str, query: &str) -> String {
    let badge: Value = serde_json::from_str(&client().get(json(app, id, query)).text().await).expect("JSON");
    badge["message"].as_str().expect("a message").to_owned()
}

#[tokio::test]
async fn a_badge_shows_the_value_and_does_not_count() {
    in_process_and_with_redis(&[ANY_AMOUNT], async |app| {
        assert_eq!(message(app, "2", "").await, "0", "an unknown counter stands at 0");
        app.add_by("2", 1234).await;
        let answer = client().get(svg(app, "2", "")).header("accept", "image/*").answer().await;
        assert_eq!(answer.status(), 200);
        for (name, expected) in [
            ("content-type", "image/svg+xml"),
            ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("x-content-type-options", "nosniff"),
            ("access-control-allow-origin", "*"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(header(&answer, name), expected, "{name}");
        }
        let usual = include_str!("badges/flat-square.svg").trim_end();
        assert_eq!(answer.text().await.expect("a body"), usual);
        for style in ["flat-square", "flat", "plastic", "for-the-badge", "social"] {
            let picture = client().get(svg(app, "2", &format!("?style={style}"))).text().await;
            let expected = std::fs::read_to_string(format!(
                "{}/tests/api/badges/{style}.svg",
                env!("CARGO_MANIFEST_DIR")
            ));
            assert_eq!(picture, expected.expect(style).trim_end(), "{style}");
        }
        assert_eq!(app.read("2").await, 1234, "looking at it does not count");
    })
    .await;
}

#[tokio::test]
async fn the_json_is_what_an_endpoint_badge_reads() {
    let app = TestApp::with(&[ANY_AMOUNT]).await;
    app.add_by("a~b", 1_234_567).await;
    let answer = client().get(json(&app, "a~b", "")).answer().await;
    assert_eq!(header(&answer, "content-type"), "application/json");
    assert_eq!(header(&answer, "cross-origin-resource-policy"), "cross-origin");
    assert_eq!(
        answer.text().await.expect("a body"),
        "{\"schemaVersion\":1,\"label\":\"hits\",\"message\":\"1234567\",\"color\":\"#4c1\",\"labelColor\":\"#555\",\
         \"style\":\"flat-square\"}"
    );
    let other =
        "?label=Zugriffe+%3C3&color=critical&labelColor=%23ABC&style=social&format=short&base=-1000000";
    assert_eq!(
        client().get(json(&app, "a~b", other)).text().await,
        "{\"schemaVersion\":1,\"label\":\"Zugriffe <3\",\"message\":\"234k\",\"color\":\"#e05d44\",\
         \"labelColor\":\"#abc\",\"style\":\"social\"}"
    );
    for (query, expected) in [
        ("?format=commas", "1,234,567"),
        ("?format=commas&base=9007199254740991", "9,007,199,255,975,558"),
        ("?base=-9007199254740991&format=short", "-9P"),
        ("?base=0&_=1&_key=x", "1234567"),
    ] {
        assert_eq!(message(&app, "a~b", query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn a_badge_of_the_day_shows_what_today_added() {
    in_process_and_with_redis(&[], async |app| {
        until_an_hour_has_time().await;
        assert_eq!(message(app, "2", "?of=day").await, "0");
        app.add_by("2", 26).await;
        app.add_by("2", -3).await;
        until_value(&format!("{}/counters/2/history?unit=day", app.address), 23).await;
        assert_eq!(message(app, "2", "?of=day&base=100").await, "123");
        let day = client().get(svg(app, "2", "?of=day&label=today")).text().await;
        assert!(day.contains("aria-label=\"today: 23\""), "{day}");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_counter_has_a_badge_with_0() {
    let owner = secret();
    let keys = key_table("owner", &owner, r#"["manage:counters/"]"#);
    in_process_and_with_redis(&[("LIVECOUNTER__KEYS", &keys)], async |app| {
        app.add_by("2", 26).await;
        let deleted = client().delete(app.counter("2")).bearer_auth(owner.expose()).answer().await;
        assert_eq!(deleted.status(), 204);
        assert_eq!(message(app, "2", "").await, "0");
    })
    .await;
}

#[tokio::test]
async fn a_client_that_has_the_badge_gets_304_until_it_changes() {
    let app = TestApp::spawn().await;
    for url in [svg(&app, "2", "?label=a"), json(&app, "2", "?label=a")] {
        let first = client().get(&url).answer().await;
        let tag = header(&first, "etag").to_owned();
        assert!(tag.len() > 10, "{tag}");
        let again = client().get(&url).header("if-none-match", &tag).answer().await;
        assert_eq!((again.status().as_u16(), header(&again, "etag")), (304, tag.as_str()));
        let head = client().head(&url).answer().await;
        assert_eq!((head.status().as_u16(), header(&head, "etag")), (200, tag.as_str()));
        assert_eq!(head.text().await.expect("no body"), "");
        app.add("2").await;
        let changed = client().get(&url).header("if-none-match", &tag).answer().await;
        assert_eq!(changed.status(), 200);
    }
}

#[tokio::test]
async fn a_purged_cache_may_keep_a_badge_and_its_day_until_midnight() {
    let settings = [
        ("FASTLY_SERVICE_ID", "service"),
        ("FASTLY_API_KEY", "hush"),
        ("LIVECOUNTER__FASTLY__API_URL", "http://127.0.0.1:9"),
        ("LIVECOUNTER__CACHE__MAX_AGE", "2d"),
    ];
    let app = TestApp::with(&settings).await;
    for (query, longest) in [("", 172_800), ("?of=day", 86_400)] {
        for url in [svg(&app, "2", query), json(&app, "2", query)] {
            let answer = client().get(url).answer().await;
            assert_eq!(header(&answer, "surrogate-key"), "counter-2");
            let control = header(&answer, "surrogate-control");
            let (fresh, stale) = control.split_once(", ").expect("two parts");
            let seconds: u64 = fresh.strip_prefix("max-age=").expect("an age").parse().expect("a number");
            assert!((1..=longest).contains(&seconds), "{control}");
            assert_eq!(stale, "stale-if-error=86400");
        }
    }
}

#[tokio::test]
async fn what_makes_no_badge_is_refused_by_name() {
    let app = TestApp::spawn().await;
    let long = format!("?label={}", "a".repeat(10_000));
    let color =
        "must be 3 or 6 hex digits, or the name of a colour in CSS or at shields.io, such as brightgreen";
    let base = "base must be a whole number from -9007199254740991 to 9007199254740991, in plain digits";
    for (query, expected) in [
        ("?style=round", "style must be flat-square or flat or plastic or for-the-badge or social"),
        ("?format=1.2k", "format must be plain or commas or short"),
        ("?of=week", "of must be total or day"),
        ("?color=red%22%20onload=", &format!("color {color}")),
        ("?color=%23zzzzzz", &format!("color {color}")),
        ("?color=ff000080", &format!("color {color}")),
        ("?labelColor=", &format!("labelColor {color}")),
        ("?labelColor=transparent", &format!("labelColor {color}")),
        ("?base=1e99", base),
        ("?base=9007199254740992", base),
        ("?base=+1", base),
        ("?base=%2B1", base),
        ("?base=-0", base),
        ("?base=", base),
        ("?label=a%00b", "label must not have control characters, and its character 2 is one"),
        ("?label=%E2%80%AE21", "label must not have control characters, and its character 1 is one"),
        ("?label=%FF", "label must be UTF-8"),
        (&long, "label must have at most 100 characters"),
        ("?label=a&label=b", "label is given twice in the query"),
        ("?colour=red", "the query has the unknown parameter \"colour\"; did you mean color?"),
        ("?labelcolor=red", "the query has the unknown parameter \"labelcolor\"; did you mean labelColor?"),
        ("?lable=a", "the query has the unknown parameter \"lable\"; did you mean label?"),
    ] {
        refused(&app, "2", query, 400, expected).await;
    }
    refused(&app, "1,2", "", 400, "each counter has a badge of its own: ask for one").await;
    refused(&app, "a%3C", "", 400, "a counter id consists of A-Z a-z 0-9 . _ ~ -, character 2 is another")
        .await;
    let post = client().post(svg(&app, "2", "")).answer().await;
    assert_eq!((post.status().as_u16(), header(&post, "allow")), (405, "GET, HEAD, OPTIONS"));
    assert_eq!(app.read("2").await, 0);
}

#[tokio::test]
async fn a_badge_that_is_not_there_is_404() {
    let known = [("LIVECOUNTER__COUNTERS__KNOWN", "2"), ("LIVECOUNTER__HISTORY__DAYS", "0")];
    let app = TestApp::with(&known).await;
    refused(&app, "3", "", 404, "there is no counter 3 here").await;
    refused(&app, "2", "?of=day", 404, "no days of the past are kept here: history.days is 0").await;
    assert_eq!(message(&app, "2", "").await, "0");
}

#[tokio::test]
async fn markup_in_a_label_is_text() {
    let app = TestApp::spawn().await;
    for (label, shown) in [
        ("%3Cscript%3Ealert(1)%3C/script%3E", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("--%3E%3C!--", "--&gt;&lt;!--"),
        ("%22%20onload=%22alert(1)", "&quot; onload=&quot;alert(1)"),
        ("%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7", "\u{1f469}\u{200d}\u{1f467}"),
    ] {
        let picture = client().get(svg(&app, "2", &format!("?label={label}"))).text().await;
        assert!(picture.contains(&format!("<title>{shown}: 0</title>")), "{picture}");
        roxmltree::Document::parse(&picture).expect("well-formed XML");
    }
}

/// Both forms of the badge are refused: the JSON with a problem, the picture with a picture that says the same.
async fn refused(app: &TestApp, id: &str, query: &str, status: u16, detail: &str) {
    let answer = client().get(json(app, id, query)).answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (status, "no-store"), "{query}");
    let problem: Value = answer.json().await.expect("a problem");
    assert_eq!(problem["detail"], detail, "{query}");
    let answer = client().get(svg(app, id, query)).answer().await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (status, "no-store"), "{query}");
    assert_eq!(header(&answer, "content-type"), "image/svg+xml");
    assert_eq!(header(&answer, "cross-origin-resource-policy"), "cross-origin");
    let picture = answer.text().await.expect("a picture");
    let picture = roxmltree::Document::parse(&picture).expect("well-formed XML");
    let title = picture.root_element().attribute("aria-label").expect("a label");
    let said = title.strip_prefix(&format!("error {status}: ")).expect("the status");
    assert!(detail == said || detail.starts_with(said.strip_suffix('…').expect("a cut")), "{said}");
}
