//! Visitors who were counted a short while ago: a cookie tells, and the store knows its value, too.

use std::collections::HashSet;

use futures_util::future::join_all;
use livecounter::domain::Topic;
use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;

use crate::support::app::TestApp;
use crate::support::deployment::PROXY_URL;
use crate::support::http::{Ask, client, header};
use crate::support::redis::RedisServer;
use crate::support::wait::until;

pub(crate) fn count(app: &TestApp, page: &str) -> RequestBuilder {
    client().get(format!("{}/count?url={page}", app.address))
}

/// The number, and the cookie that is set, without its attributes.
pub(crate) async fn counted(request: RequestBuilder) -> (String, String) {
    let answer = request.answer().await;
    assert_eq!(answer.status(), 200);
    let cookie = header(&answer, "set-cookie").split(';').next().unwrap_or_default().to_owned();
    (answer.text().await.expect("a number"), cookie)
}

async fn visitors_are_counted_once(environment: &[(&str, &str)]) {
    let app = TestApp::with(environment).await;
    let with = |page: &str, cookie: &str| count(&app, page).header("cookie", cookie.to_owned());
    let (value, first) = counted(count(&app, "example.com/a")).await;
    assert_eq!(value, "1");
    let (value, second) = counted(count(&app, "example.com/a")).await;
    assert!(value == "2" && first != second, "another visitor: {first} {second}");
    // The present number, not the one that the visitor was told before, and no second cookie, which would prolong the window.
    for cookie in [&first, &second] {
        assert_eq!(counted(with("example.com/a", cookie)).await, ("2".to_owned(), String::new()));
    }
    // The cookie of one page tells nothing about another one.
    let (value, other) = counted(with("example.com/b", &first)).await;
    assert!(value == "1" && other.split('=').next() != first.split('=').next(), "{other}");
    // A visitor who makes up a value is a new one, and is known by that value then.
    let (name, _) = first.split_once('=').expect("a cookie");
    let own = format!("{name}=0123456789012345678901");
    assert_eq!(counted(with("example.com/a", &own)).await, ("3".to_owned(), own.clone()));
    assert_eq!(counted(with("example.com/a", &own)).await, ("3".to_owned(), String::new()));
    for altered in [format!("{first}x"), format!("{name}="), format!("{name}=%00"), "x".repeat(8_000)] {
        let (_, cookie) = counted(with("example.com/c", &altered)).await;
        assert!(cookie.len() > 30, "{altered:.40}");
    }
    assert_eq!(counted(with("example.com/a", &format!("{first}; {own}; {first}"))).await.0, "3");
    // A cookie of another program on the same host hides no other, whatever bytes it has.
    for beside in [&b"user=Zo\xc3\xab; "[..], b"user=\xe9; "] {
        let cookies = HeaderValue::from_bytes(&[beside, first.as_bytes()].concat()).expect("a header");
        let told = counted(count(&app, "example.com/a").header("cookie", cookies)).await;
        assert_eq!(told, ("3".to_owned(), String::new()));
    }
    let together = join_all((0..20).map(|_| counted(with("example.com/d", "a=b; lc_=c")))).await;
    assert_eq!(together.iter().map(|(_, cookie)| cookie).collect::<HashSet<_>>().len(), 20);
}

async fn a_visitor_counts_again_behind_the_window(environment: &[(&str, &str)]) {
    let app = TestApp::with(&[environment, &[("LIVECOUNTER__HITS__WINDOW", "1s")]].concat()).await;
    let again = |cookie: &str| counted(count(&app, "example.com").header("cookie", cookie.to_owned()));
    let (_, cookie) = counted(count(&app, "example.com")).await;
    until("the window is over", async || again(&cookie).await == ("2".to_owned(), cookie.clone())).await;
    let answer = count(&app, "example.com").answer().await;
    assert!(header(&answer, "set-cookie").contains("; Max-Age=1; Path=/count; HttpOnly; "));
}

#[tokio::test]
async fn visitors_are_counted_once_in_one_process() {
    visitors_are_counted_once(&[]).await;
    a_visitor_counts_again_behind_the_window(&[]).await;
}

#[tokio::test]
async fn visitors_are_counted_once_in_redis_and_so_is_their_site() {
    let redis = RedisServer::start();
    let url = redis.url();
    let environment = [("REDIS_URL", url.as_str()), ("GRIP_URL", PROXY_URL.as_str())];
    visitors_are_counted_once(&environment).await;
    let site = Topic::site(&"example.com".parse().expect("an address"));
    let key = format!("lc:{{b{}}}:t:{}", site.bucket(), site.name());
    // 3 of a, 1 of b, 4 of c, 20 of d.
    assert_eq!(redis.cli(&["HGET", &key, "v"]).trim(), "28");
    redis.cli(&["FLUSHALL"]);
    a_visitor_counts_again_behind_the_window(&environment).await;
}

#[tokio::test]
async fn one_visitor_at_the_same_time_is_counted_once() {
    let app = TestApp::spawn().await;
    let (_, cookie) = counted(count(&app, "example.com")).await;
    let (name, _) = cookie.split_once('=').expect("a cookie");
    let other = format!("{name}=0123456789012345678901");
    let http = client();
    let url = format!("{}/count?url=example.com", app.address);
    let told = join_all((0..30).map(|_| counted(http.get(&url).header("cookie", &other)))).await;
    assert!(told.iter().all(|(value, _)| value == "2"), "{told:?}");
    assert_eq!(told.iter().filter(|(_, cookie)| *cookie == other).count(), 1, "one of them was counted");
}

#[tokio::test]
async fn image_proxies_bots_and_services_without_a_window_get_no_cookie() {
    let app = TestApp::spawn().await;
    for (visits, (agent, sets)) in (1..).zip([("github-camo (876de43e)", false), ("curl/8.5.0", true)]) {
        let (value, cookie) = counted(count(&app, "example.com").header("user-agent", agent)).await;
        assert_eq!((value, !cookie.is_empty()), (visits.to_string(), sets), "{agent}");
    }
    let (_, cookie) = counted(count(&app, "example.com").header("user-agent", "Googlebot")).await;
    assert_eq!(cookie, "");
    let answer = client().get(format!("{}/nocount?url=example.com", app.address)).answer().await;
    assert_eq!(header(&answer, "set-cookie"), "");
    let secure = count(&app, "example.com").header("x-forwarded-proto", "https").answer().await;
    assert!(header(&secure, "set-cookie").ends_with("; HttpOnly; SameSite=None; Secure; Partitioned"));

    let off = TestApp::with(&[("LIVECOUNTER__HITS__WINDOW", "0s")]).await;
    for expected in ["1", "2"] {
        let told = counted(count(&off, "example.com").header("cookie", &cookie)).await;
        assert_eq!(told, (expected.to_owned(), String::new()));
    }
}

/// The status and the number of a hit of `example.com/k` with this key, from a client without cookies.
async fn keyed(app: &TestApp, key: &str) -> (u16, String) {
    let answer = count(app, "example.com/k").header("idempotency-key", key).answer().await;
    assert_eq!(header(&answer, "set-cookie"), "", "a client with a key needs no cookie");
    (answer.status().as_u16(), answer.text().await.expect("a number"))
}

async fn a_hit_counts_once_for_its_key(environment: &[(&str, &str)]) {
    let app = TestApp::with(environment).await;
    let told = |value: &str| (200, value.to_owned());
    let together = join_all((0..20).map(|_| keyed(&app, "a"))).await;
    assert!(together.iter().all(|answer| *answer == told("1")), "{together:?}");
    assert_eq!(keyed(&app, "b").await, told("2"));
    assert_eq!(keyed(&app, "\"a\"").await, told("2"), "the present number");
    for bad in ["a b", "", "\"", &"x".repeat(256)] {
        assert_eq!(keyed(&app, bad).await.0, 400, "{bad:?}");
    }
    let twice = count(&app, "example.com/k").header("idempotency-key", "c").header("idempotency-key", "d");
    assert_eq!(twice.answer().await.status(), 400);
    // The key of one page says nothing of another, and who reads the number leaves no key.
    let other = count(&app, "example.com/other").header("idempotency-key", "a");
    assert_eq!(other.text().await, "1");
    let bot = count(&app, "example.com/k").header("user-agent", "Googlebot").header("idempotency-key", "e");
    assert_eq!(bot.text().await, "2");
    assert_eq!(keyed(&app, "e").await, told("3"));
    let site = client().get(format!("{}/nocount/site?url=example.com", app.address));
    until("the site has all hits", async || site.try_clone().expect("no body").text().await == "4").await;
}

#[tokio::test]
async fn a_hit_counts_once_for_its_key_in_one_process() {
    a_hit_counts_once_for_its_key(&[]).await;
    a_hit_counts_once_for_its_key(&[("LIVECOUNTER__HITS__WINDOW", "0s")]).await;
}

#[tokio::test]
async fn a_hit_counts_once_for_its_key_in_redis() {
    let redis = RedisServer::start();
    let environment = [("REDIS_URL", redis.url()), ("GRIP_URL", PROXY_URL.clone())];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    a_hit_counts_once_for_its_key(&environment).await;
    redis.cli(&["FLUSHALL"]);
    let at_once = [environment.as_slice(), &[("LIVECOUNTER__PUBLISH__INTERVAL", "0s")]].concat();
    a_hit_counts_once_for_its_key(&at_once).await;
}

#[tokio::test]
async fn a_visitor_with_a_cookie_counts_once_whatever_the_keys_are() {
    let app = TestApp::spawn().await;
    let (_, cookie) = counted(count(&app, "example.com")).await;
    let again = count(&app, "example.com").header("cookie", &cookie).header("idempotency-key", "k");
    assert_eq!(again.text().await, "1");
    let preflight = client()
        .request(reqwest::Method::OPTIONS, format!("{}/count?url=example.com", app.address))
        .header("origin", "https://example.com")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "idempotency-key");
    let allowed = preflight.answer().await;
    assert_eq!(header(&allowed, "access-control-allow-headers"), "idempotency-key");
    assert!(header(&allowed, "access-control-allow-methods").contains("GET"));
}
