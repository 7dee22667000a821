//! The headers that the origin sends to a GRIP proxy, and the requests that it accepts as those of a proxy.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::counters::PURGED;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::sse::Listener;

pub(crate) const SECRET: &str = "the-proxy-s-secret";
/// No server listens at this address: publishing fails, which must disturb no request.
pub(crate) const GRIP_URL: &str = "http://127.0.0.1:9/?iss=pushpin&key=the-proxy-s-secret&verify-iss=pushpin";
/// A P-256 pair made for these tests alone; the private one without its armour, which scanners for lost keys look for.
const EC_PRIVATE: &str = include_str!("keys/ec-private.base64");
const EC_PUBLIC: &str = include_str!("keys/ec-public.pem");

pub(crate) fn claims(iss: &str, expires_in: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs() as i64;
    json!({"iss": iss, "exp": now + expires_in})
}

fn signed(algorithm: Algorithm, key: &EncodingKey, claims: &Value) -> String {
    livecounter::jwt::install();
    jsonwebtoken::encode(&Header::new(algorithm), claims, key).expect("a token")
}

fn ec_key() -> EncodingKey {
    let kind = "PRIVATE KEY";
    let pem = format!("-----BEGIN {kind}-----\n{EC_PRIVATE}-----END {kind}-----\n");
    EncodingKey::from_ec_pem(pem.as_bytes()).expect("a key")
}

pub(crate) fn hs256(secret: &str, claims: &Value) -> String {
    signed(Algorithm::HS256, &EncodingKey::from_secret(secret.as_bytes()), claims)
}

async fn stateless(redis: &RedisServer, extra: &[(&str, &str)]) -> TestApp {
    let url = redis.url();
    let mut environment = vec![("REDIS_URL", url.as_str()), ("GRIP_URL", GRIP_URL)];
    environment.extend(extra);
    TestApp::with(&environment).await
}

async fn listen(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = client().get(format!("{}{path}", app.address)).header("accept", "text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.answer().await
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn a_proxied_stream_is_a_hold_that_the_purged_cache_may_keep() {
    let redis = RedisServer::start();
    let app = stateless(&redis, &PURGED).await;
    let token = hs256(SECRET, &claims("pushpin", 60));
    let held = listen(&app, "/counters/2/", &[("grip-sig", &token)]).await;
    assert_eq!(held.status(), 200);
    for (name, expected) in [
        ("content-type", "text/event-stream"),
        ("grip-hold", "stream"),
        ("grip-channel", "counter-2; prev-id=0-0"),
        ("grip-keep-alive", ":\\n; format=cstring; timeout=20"),
        ("grip-link", "</counters/2/recover>; rel=next; timeout=3"),
        ("surrogate-key", "counter-2"),
        ("surrogate-control", "max-age=600, stale-if-error=86400"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
        ("vary", "accept"),
        ("etag", ""),
    ] {
        assert_eq!(header(&held, name), expected);
    }
    let body = held.text().await.expect("a body");
    let rest =
        body.strip_prefix(&format!(":{}\nretry: ", " ".repeat(2048))).expect("a comment, then the delay");
    let (retry, event) = rest.split_once('\n').expect("a line");
    assert!((1500..=3000).contains(&retry.parse::<u32>().expect("a number")), "{retry}");
    assert_eq!(event, "id: 2@0-0\nevent: message\ndata: 0\n\n");
}

#[tokio::test]
async fn where_nothing_is_purged_no_cache_may_keep_a_hold() {
    let redis = RedisServer::start();
    let app = stateless(&redis, &[]).await;
    let token = hs256(SECRET, &claims("pushpin", 60));
    let held = listen(&app, "/counters/2/", &[("grip-sig", &token)]).await;
    assert_eq!(header(&held, "grip-hold"), "stream");
    assert_eq!(header(&held, "cache-control"), "no-cache, no-transform");
    for name in ["surrogate-control", "surrogate-key"] {
        assert_eq!(header(&held, name), "", "{name}");
    }
}

#[tokio::test]
async fn a_hold_is_kept_alive_as_often_as_is_set() {
    let redis = RedisServer::start();
    let app = stateless(&redis, &[("LIVECOUNTER__STREAMS__KEEP_ALIVE", "4s")]).await;
    let token = hs256(SECRET, &claims("pushpin", 60));
    for path in ["/counters/2/", "/counters/2/recover"] {
        let held = listen(&app, path, &[("grip-sig", &token)]).await;
        assert_eq!(header(&held, "grip-keep-alive"), ":\\n; format=cstring; timeout=4", "{path}");
    }
}

#[tokio::test]
async fn the_prefix_stands_before_the_channel() {
    let redis = RedisServer::start();
    let app = stateless(&redis, &[("LIVECOUNTER__GRIP__PREFIX", "eu:")]).await;
    let token = hs256(SECRET, &claims("pushpin", 60));
    let held = listen(&app, "/counters/2/", &[("grip-sig", &token)]).await;
    assert_eq!(header(&held, "grip-channel"), "eu:counter-2; prev-id=0-0");
}

#[tokio::test]
async fn a_recovery_answers_the_missed_value_and_is_never_cached() {
    let redis = RedisServer::start();
    let app = stateless(&redis, &[]).await;
    app.add("2").await;
    let token = hs256(SECRET, &claims("pushpin", 60));
    let recover = async |last: &str| {
        let last = format!("counter-2; last-id={last}");
        listen(&app, "/counters/2/recover", &[("grip-sig", &token), ("grip-last", &last)]).await
    };
    // The announcer claims in the background; the hold's prev-id is the id that it has claimed.
    let claimed = async {
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        loop {
            poll.tick().await;
            let channel = header(&recover("0-0").await, "grip-channel").to_owned();
            if !channel.ends_with("prev-id=0-0") {
                break channel.split_once("prev-id=").expect("a prev-id").1.to_owned();
            }
        }
    };
    let published = tokio::time::timeout(Duration::from_secs(10), claimed).await.expect("a claim");
    for behind in ["0-0", "abc-1", "nonsense"] {
        let missed = recover(behind).await;
        assert_eq!(header(&missed, "cache-control"), "no-store");
        assert_eq!(header(&missed, "surrogate-control"), "");
        assert_eq!(header(&missed, "grip-hold"), "stream");
        assert_eq!(header(&missed, "grip-link"), "</counters/2/recover>; rel=next; timeout=15");
        let body = missed.text().await.expect("a body");
        assert_eq!(body, format!("id: 2@{published}\nevent: message\ndata: 1\n\n"), "behind {behind}");
    }
    let current = recover(&published).await;
    assert_eq!(header(&current, "grip-hold"), "stream");
    assert_eq!(current.text().await.expect("a body"), "", "nothing was missed");
}

#[tokio::test]
async fn no_proxy_holds_and_no_cache_keeps_the_head_of_a_stream() {
    let redis = RedisServer::start();
    let (stateless, alone) = (stateless(&redis, &[]).await, TestApp::spawn().await);
    let token = hs256(SECRET, &claims("pushpin", 60));
    for (app, token) in [(&stateless, token.as_str()), (&stateless, ""), (&alone, "")] {
        for path in ["/counters/2/", "/counters/2/recover"] {
            let request =
                client().head(format!("{}{path}", app.address)).header("accept", "text/event-stream");
            let head = request.header("grip-sig", token).answer().await;
            assert_eq!(head.status(), 200, "{path}");
            assert_eq!(header(&head, "content-type"), "text/event-stream");
            assert_eq!(header(&head, "cache-control"), "no-store, no-transform");
            for name in ["grip-hold", "grip-channel", "grip-link", "grip-keep-alive"] {
                assert_eq!(header(&head, name), "", "{path}");
            }
            for name in ["surrogate-control", "surrogate-key", "content-length"] {
                assert_eq!(header(&head, name), "", "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_without_the_signature_of_the_proxy_is_an_ordinary_client() {
    let redis = RedisServer::start();
    let app = stateless(&redis, &[]).await;
    let valid = claims("pushpin", 60);
    let unsigned = hs256(SECRET, &valid);
    let unsigned = unsigned.rsplit_once('.').expect("a signature").0;
    let none =
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", unsigned.split_once('.').expect("claims").1);
    for (what, token) in [
        ("forged", hs256("another key", &valid)),
        ("expired", hs256(SECRET, &claims("pushpin", -60))),
        ("of another issuer", hs256(SECRET, &claims("fastly:abc", 60))),
        ("without an expiry", hs256(SECRET, &json!({"iss": "pushpin"}))),
        ("alg=none", none),
        ("ES256", signed(Algorithm::ES256, &ec_key(), &valid)),
        ("no token", "x".into()),
        ("empty", String::new()),
    ] {
        for path in ["/counters/2/", "/counters/2/recover"] {
            let answer = listen(&app, path, &[("grip-sig", &token)]).await;
            assert_eq!(answer.status(), 501, "{what} {path}");
            assert!(answer.headers().keys().all(|name| !name.as_str().starts_with("grip-")), "{what}");
            let problem: Value = answer.json().await.expect("JSON");
            assert_eq!(problem["type"], "urn:livecounter:problem:no-proxy", "{what}");
            assert!(problem["detail"].as_str().expect("a detail").contains("GRIP_URL"), "{problem}");
        }
    }
}

#[tokio::test]
async fn es256_is_accepted_for_a_public_key_and_nothing_else_is() {
    let redis = RedisServer::start();
    let grip_url = "http://127.0.0.1:9/service/abc?key=token&verify-iss=fastly:abc";
    let app = stateless(&redis, &[("GRIP_URL", grip_url), ("GRIP_VERIFY_KEY", EC_PUBLIC)]).await;
    let valid = claims("fastly:abc", 60);
    let fastly_s = signed(Algorithm::ES256, &ec_key(), &valid);
    assert_eq!(listen(&app, "/counters/2/", &[("grip-sig", &fastly_s)]).await.status(), 200);
    // A known attack: the public key's text is used as a shared secret.
    let confused = hs256(EC_PUBLIC, &valid);
    assert_eq!(listen(&app, "/counters/2/", &[("grip-sig", &confused)]).await.status(), 501);
    let token = hs256("token", &valid);
    assert_eq!(listen(&app, "/counters/2/", &[("grip-sig", &token)]).await.status(), 501);
}

#[tokio::test]
async fn one_origin_with_a_proxy_holds_streams_that_come_past_the_proxy() {
    let app = TestApp::with(&[("GRIP_URL", GRIP_URL)]).await;
    let token = hs256(SECRET, &claims("pushpin", 60));
    let held = listen(&app, "/counters/2/", &[("grip-sig", &token)]).await;
    assert_eq!(header(&held, "grip-hold"), "stream");
    let forged = hs256("another key", &claims("pushpin", 60));
    let mut direct = Listener::connect_with(app.addr, "/counters/2/", &[("grip-sig", &forged)]).await;
    assert_eq!(direct.header("grip-hold"), "", "no GRIP header leaks to a client");
    assert_eq!(direct.next(Duration::from_secs(10)).await.data, "0");
    app.add("2").await;
    assert_eq!(direct.next(Duration::from_secs(10)).await.data, "1", "though the proxy is away");
}

#[tokio::test]
async fn reads_and_posts_need_no_proxy() {
    let redis = RedisServer::start();
    let app = stateless(&redis, &[]).await;
    assert_eq!(app.add("2").await, 1);
    let read = app.get("/counters/2/").await;
    assert_eq!(read.headers().keys().filter(|name| name.as_str().starts_with("grip-")).count(), 0);
    assert_eq!(read.text().await.expect("a text"), "1\n");
}

#[tokio::test]
async fn a_list_is_one_hold_with_a_channel_for_each_counter() {
    let redis = RedisServer::start();
    let app = stateless(&redis, &PURGED).await;
    app.add_by("2", 26).await;
    crate::support::wait::until("announced", async || {
        app.metrics().await.contains("livecounter_announcements_claimed_total 1")
    })
    .await;
    let token = hs256(SECRET, &claims("pushpin", 60));
    let held = listen(&app, "/counters/2,1,2/", &[("grip-sig", &token)]).await;
    let opened: Vec<String> = header(&held, "grip-channel").split(", ").map(str::to_owned).collect();
    assert_eq!(opened.len(), 2, "{opened:?}");
    assert_eq!(opened[0], "counter-1; prev-id=0-0");
    let published = opened[1].strip_prefix("counter-2; prev-id=").expect("the other channel");
    assert_eq!(header(&held, "grip-link"), "</counters/1+2/recover>; rel=next; timeout=3");
    assert_eq!(header(&held, "surrogate-key"), "counter-1 counter-2");
    let body = held.text().await.expect("a body");
    let events: Vec<&str> = body.lines().filter(|line| line.starts_with("data:")).collect();
    assert_eq!(events, ["data: 0", "data: 26"]);

    let seen = |one: &str, two: &str| format!("counter-2; last-id={two}, counter-1; last-id={one}");
    for (last, missed) in [
        (seen("0-0", published), vec![]),
        (seen("0-0", "0-0"), vec!["data: 26"]),
        (seen("1f-3", published), vec!["data: 0"]),
        ("counter-2; last-id=0-0".to_owned(), vec!["data: 0", "data: 26"]),
    ] {
        let headers = [("grip-sig", token.as_str()), ("grip-last", last.as_str())];
        let answer = listen(&app, "/counters/1+2/recover", &headers).await;
        assert_eq!(header(&answer, "grip-channel").split(", ").count(), 2);
        assert_eq!(header(&answer, "cache-control"), "no-store");
        let body = answer.text().await.expect("a body");
        let events: Vec<&str> = body.lines().filter(|line| line.starts_with("data:")).collect();
        assert_eq!(events, missed, "{last}");
    }
}
