//! `/count` and `/nocount`: which page is meant, which request counts, and what is answered.

use futures_util::future::join_all;
use livecounter::domain::{PageAddress, Topic};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::deployment::PROXY_URL;
use crate::support::http::{Ask, client, header, metric};
use crate::support::keys::{key_table, secret};
use crate::support::raw::raw;
use crate::support::redis::RedisServer;

const PAGE: &str = "https://www.example.com/a";
const TOPICS: &str = "livecounter_topics ";

/// A request for hits, with this query.
fn get(app: &TestApp, path_and_query: &str) -> RequestBuilder {
    client().get(format!("{}{path_and_query}", app.address))
}

/// The status and the body.
async fn told(request: RequestBuilder) -> (u16, String) {
    let answer = request.answer().await;
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}

async fn counted(request: RequestBuilder, expected: i64) {
    assert_eq!(told(request).await, (200, expected.to_string()));
}

#[tokio::test]
async fn a_page_that_a_worker_has_counted_is_not_looked_up_for_the_limits() {
    let redis = RedisServer::start();
    let settings = [
        ("REDIS_URL", redis.url()),
        ("GRIP_URL", PROXY_URL.clone()),
        ("LIVECOUNTER__LIMITS__NEW_TOPICS", "1/h".to_owned()),
        ("LIVECOUNTER__LIMITS__TOPICS", "9".to_owned()),
        ("LIVECOUNTER__WORKERS", "1".to_owned()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let app = TestApp::with(&settings).await;
    counted(get(&app, "/count?url=example.com/a"), 1).await;
    let address: PageAddress = "example.com/a".parse().expect("an address");
    for topic in [Topic::page(&address), Topic::site(&address)] {
        redis.cli(&["DEL", &format!("lc:{{b{}}}:t:{}", topic.bucket(), topic.name())]);
    }
    // A lookup would find neither page nor site, and the client may not make anything new.
    counted(get(&app, "/count?url=example.com/a"), 1).await;
    counted(get(&app, "/count?url=example.com/a"), 2).await;
    assert_eq!(told(get(&app, "/count?url=example.com/b")).await.0, 429);
}

/// The problem's detail.
async fn detail(answer: Response) -> String {
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert_eq!(header(&answer, "access-control-allow-origin"), "https://www.example.com");
    let problem: Value = answer.json().await.expect("JSON");
    problem["detail"].as_str().expect("a detail").to_owned()
}

async fn pages_are_counted(environment: &[(&str, &str)]) {
    let app = TestApp::with(environment).await;
    counted(get(&app, "/nocount?url=www.example.com/a"), 0).await;
    counted(get(&app, "/count?url=www.example.com/a"), 1).await;
    for same in [
        "/count?url=https%3A%2F%2FWWW.Example.com%3A443%2Fa%3Fb%3Dc%23d",
        "/count?url=https%253A%252F%252Fwww.example.com%252Fa",
        "/count?url=//user:pw@www.example.com/a&b=c&url=other",
        "/count?_=1&url=www.example.com%2Fa",
    ] {
        let before: i64 = get(&app, "/nocount?url=www.example.com/a").text().await.parse().expect("a number");
        counted(get(&app, same), before + 1).await;
    }
    counted(get(&app, "/count").header("referer", PAGE), 6).await;
    counted(get(&app, "/nocount").header("referer", PAGE), 6).await;
    // What the query names counts, not the page that asks.
    counted(get(&app, "/count?url=other.example").header("referer", PAGE), 1).await;
    for other in ["www.example.com", "www.example.com/a/", "example.com/a", "www.example.com:81/a"] {
        counted(get(&app, &format!("/nocount?url={other}")), 0).await;
    }
    let many = (0..50).map(|n| get(&app, &format!("/count?url=many.example/{}", n % 5)).text());
    let mut values: Vec<i64> =
        join_all(many).await.iter().map(|text| text.parse().expect("a number")).collect();
    values.sort_unstable();
    let expected: Vec<i64> = (0..50).map(|n| n / 5 + 1).collect();
    assert_eq!(values, expected, "each value of each page once");
}

#[tokio::test]
async fn pages_are_counted_in_one_process() {
    pages_are_counted(&[]).await;
}

#[tokio::test]
async fn pages_are_counted_in_redis() {
    let redis = RedisServer::start();
    pages_are_counted(&[("REDIS_URL", &redis.url()), ("GRIP_URL", PROXY_URL.as_str())]).await;
    let stored = |topic: &Topic, kind: &str| format!("lc:{{b{}}}:{kind}:{}", topic.bucket(), topic.name());
    let address: PageAddress = PAGE.parse().expect("an address");
    let (page, site) = (Topic::page(&address), Topic::site(&address));
    assert_eq!(redis.cli(&["GET", &stored(&page, "u")]).trim(), "www.example.com/a");
    assert_eq!(redis.cli(&["HGET", &stored(&page, "t"), "v"]).trim(), "6");
    assert_eq!(redis.cli(&["HGET", &stored(&site, "t"), "v"]).trim(), "6");
    let many = Topic::site(&"many.example".parse().expect("an address"));
    assert_eq!(
        redis.cli(&["HGET", &stored(&many, "t"), "v"]).trim(),
        "50",
        "a site has the sum of its pages"
    );
}

#[tokio::test]
async fn answers_are_digits_that_no_cache_keeps_and_every_page_may_read() {
    let app = TestApp::spawn().await;
    for path in ["/count", "/nocount"] {
        let answer = get(&app, path)
            .header("referer", PAGE)
            .header("origin", "https://www.example.com")
            .answer()
            .await;
        for (name, expected) in [
            ("content-type", "text/plain; charset=utf-8"),
            ("cache-control", "max-age=0, no-cache, no-store, must-revalidate"),
            ("pragma", "no-cache"),
            ("expires", "0"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("access-control-allow-origin", "https://www.example.com"),
            ("access-control-allow-credentials", "true"),
            ("vary", "origin"),
            ("surrogate-control", ""),
            ("etag", ""),
        ] {
            assert_eq!(header(&answer, name), expected, "{path}: {name}");
        }
        assert_eq!(answer.text().await.expect("a text"), "1");
    }
    let preflight =
        client().request(reqwest::Method::OPTIONS, format!("{}/count", app.address)).answer().await;
    assert_eq!((preflight.status().as_u16(), header(&preflight, "allow")), (204, "GET, HEAD, OPTIONS"));
    let post = client().post(format!("{}/count?url=example.com", app.address)).answer().await;
    assert_eq!((post.status().as_u16(), header(&post, "allow")), (405, "GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn only_visits_count_and_every_visitor_sees_the_number() {
    let app = TestApp::spawn().await;
    let count = || get(&app, "/count?url=example.com");
    counted(count(), 1).await;
    let head = client().head(format!("{}/count?url=example.com", app.address)).answer().await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "1"));
    for (name, value) in [
        ("purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("sec-purpose", "prefetch"),
        ("x-moz", "prefetch"),
        ("x-purpose", "preview"),
        ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
        ("user-agent", "facebookexternalhit/1.1"),
    ] {
        counted(count().header(name, value), 1).await;
    }
    for (visitors, agent) in (2..).zip(["github-camo (876de43e)", "curl/8.5.0", "", "\u{e9}"]) {
        counted(count().header("user-agent", agent), visitors).await;
    }
    counted(count().header("purpose", "visit"), 6).await;
}

#[tokio::test]
async fn a_request_that_names_no_page_or_a_wrong_one_counts_nothing() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__TOPICS", "100")]).await;
    let long = format!("/count?url=example.com/{}", "a".repeat(10_000));
    let begins = "an address begins with a host name or an IP address, such as www.example.com/page";
    let web = "an address is one of http or https, such as www.example.com/page";
    let missing = "which page is meant? Add its address to the query, as in ?url=www.example.com/page: the request has no \
                   Referer that names the page";
    for (path, status, expected) in [
        ("/count", 404, missing),
        ("/nocount", 404, missing),
        ("/count?url=", 404, missing),
        ("/count?ulr=example.com", 404, missing),
        ("/count?url=javascript:alert(1)", 400, begins),
        ("/count?url=javascript%3A%2F%2Fexample.com%2F%250aalert(1)", 400, web),
        ("/count?url=data:text/html,x", 400, begins),
        ("/count?url=mailto:someone@example.com", 400, web),
        ("/count?url=http://[fe80::1%2525eth0]/", 400, begins),
        ("/count?url=http:///a", 400, begins),
        ("/count?url=exam%00ple.com", 400, "an address has no control characters"),
        ("/count?url=example.com/a%0d%0aSet-Cookie:%20x", 400, "an address has no control characters"),
        (&long, 400, "an address may have at most 4096 bytes, and 2048 without its query"),
    ] {
        let answer = get(&app, path).header("origin", "https://www.example.com").answer().await;
        assert_eq!(answer.status(), status, "{path:.60}");
        assert_eq!(detail(answer).await, expected, "{path:.60}");
    }
    for referer in ["about:client", "android-app://com.example/", "x y", "\u{e9}", &"a".repeat(10_000)] {
        assert_eq!(
            told(get(&app, "/count").header("referer", referer)).await.0,
            if referer == "\u{e9}" { 200 } else { 400 }
        );
    }
    let (status, _) = raw(app.addr, "GET /count HTTP/1.1", &[("Referer", " ")]).await;
    assert_eq!(status, 404);
    assert_eq!(
        metric(&app.address, TOPICS).await,
        Some(2.0),
        "the page and the site of the one Referer that is an address"
    );
}

#[tokio::test]
async fn patterns_decide_which_pages_are_counted() {
    let rules = [
        ("LIVECOUNTER__HITS__ALLOW", r"^(www\.)?example\.com(/|$)"),
        ("LIVECOUNTER__HITS__DENY", "/private"),
        ("LIVECOUNTER__HITS__BOTS", "curl"),
    ];
    let app = TestApp::with(&rules).await;
    counted(get(&app, "/count?url=www.example.com/a"), 1).await;
    counted(get(&app, "/count?url=www.example.com/a").header("user-agent", "Googlebot"), 2).await;
    counted(get(&app, "/count?url=www.example.com/a").header("user-agent", "curl/8.5.0"), 2).await;
    for (path, expected) in [
        ("/count?url=example.com/private/a", "this service does not count this page: hits.deny covers it"),
        ("/nocount?url=example.net", "this service does not count this page: hits.allow does not cover it"),
        (
            "/count?url=other.example/?example.com",
            "this service does not count this page: hits.allow does not cover it",
        ),
    ] {
        let answer = get(&app, path).header("origin", "https://www.example.com").answer().await;
        assert_eq!(answer.status(), 403, "{path}");
        assert_eq!(detail(answer).await, expected);
    }
    let off = TestApp::with(&[("LIVECOUNTER__HITS__ENABLED", "false")]).await;
    for path in ["/count?url=example.com", "/nocount?url=example.com"] {
        assert_eq!(get(&off, path).answer().await.status(), 404);
    }
}

#[tokio::test]
async fn where_writing_needs_a_key_hits_need_one_too_unless_a_rule_says_not() {
    let key = secret();
    let keys = key_table("pages", &key, r#"["write:pages/www.example.com/"]"#);
    let app = TestApp::with(&[("LIVECOUNTER__ACCESS__WRITE", "key"), ("LIVECOUNTER__KEYS", &keys)]).await;
    assert_eq!(told(get(&app, "/count?url=www.example.com/a")).await.0, 401);
    counted(get(&app, "/nocount?url=www.example.com/a"), 0).await;
    counted(get(&app, "/count?url=www.example.com/a").bearer_auth(key.expose()), 1).await;
    assert_eq!(told(get(&app, "/count?url=example.com").bearer_auth(key.expose())).await.0, 403);
    let open = TestApp::with(&[("LIVECOUNTER__ACCESS__WRITE", "key anyone:pages/")]).await;
    counted(get(&open, "/count?url=www.example.com/a"), 1).await;
}

#[tokio::test]
async fn the_limits_of_a_client_hold_for_hits() {
    let app =
        TestApp::with(&[("LIVECOUNTER__LIMITS__NEW_TOPICS", "2/h"), ("LIVECOUNTER__LIMITS__TOPICS", "9")])
            .await;
    for page in ["example.com/a", "example.com/b"] {
        counted(get(&app, &format!("/count?url={page}")), 1).await;
    }
    let refused =
        get(&app, "/count?url=example.com/c").header("origin", "https://www.example.com").answer().await;
    assert_eq!(refused.status(), 429);
    assert!(
        detail(refused).await.starts_with("your address may send 2 requests that make something new an hour")
    );
    counted(get(&app, "/count?url=example.com/a"), 2).await;
    counted(get(&app, "/nocount?url=example.com/c"), 0).await;
    assert_eq!(metric(&app.address, TOPICS).await, Some(3.0), "two pages of one site");

    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__WRITES", "2/h")]).await;
    let bot = || get(&app, "/count?url=example.com").header("user-agent", "Googlebot");
    for expected in [1, 2] {
        counted(get(&app, "/count?url=example.com"), expected).await;
        counted(bot(), expected).await;
    }
    assert_eq!(told(get(&app, "/count?url=example.com")).await.0, 429);
    counted(bot(), 2).await;
    counted(get(&app, "/nocount?url=example.com"), 2).await;

    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__TOPICS", "3")]).await;
    let statuses = ["a.example/1", "a.example/2", "a.example/3", "b.example", "a.example/1"]
        .map(|page| get(&app, &format!("/count?url={page}")));
    let mut seen = Vec::new();
    for request in statuses {
        seen.push(told(request).await.0);
    }
    assert_eq!(seen, [200, 200, 507, 507, 200]);
    assert_eq!(metric(&app.address, TOPICS).await, Some(3.0));
}
