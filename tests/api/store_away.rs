//! While Redis is away, the service answers 503 and never a wrong number; it recovers when Redis is back.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::redis::{RedisServer, reached};
use crate::support::server::Server;

/// No proxy listens at this address; these tests ask for no stream.
const GRIP_URL: &str = "http://127.0.0.1:9/?iss=pushpin&key=a-secret-for-these-tests";
const SOON: Duration = Duration::from_secs(10);

/// An origin with one worker: each worker has a connection of its own, and so recovers at its own time.
async fn origin(redis: &RedisServer) -> TestApp {
    let url = redis.url();
    TestApp::with(&[("REDIS_URL", &url), ("GRIP_URL", GRIP_URL), ("LIVECOUNTER__WORKERS", "1")]).await
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.answer().await.status().as_u16()
}

/// Repeats a request until its answer has this status.
async fn until(expected: u16, request: impl Fn() -> reqwest::RequestBuilder) {
    let deadline = Instant::now() + SOON;
    let mut poll = tokio::time::interval(Duration::from_millis(50));
    while status(request()).await != expected {
        assert!(Instant::now() < deadline, "never answered with {expected}");
        poll.tick().await;
    }
}

#[tokio::test]
async fn redis_away_at_the_start_is_503_until_it_is_there() {
    let mut redis = RedisServer::stopped();
    let app = origin(&redis).await;
    let ready = format!("{}/readyz", app.address);
    for request in [client().get(app.counter("2")), client().post(app.counter("2"))] {
        let answer = request.answer().await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        let problem: Value = answer.json().await.expect("JSON");
        assert_eq!(problem["type"], "urn:livecounter:problem:unavailable");
    }
    assert_eq!(status(client().get(&ready)).await, 503);
    assert_eq!(status(client().get(format!("{}/healthz", app.address))).await, 200, "the process is fine");
    // The announcer does not remember topics whose POST failed: they would take memory for as long as Redis is away.
    let metrics = app.metrics().await;
    assert!(metrics.contains("\nlivecounter_announcer_topics 0.0\n"), "{metrics}");
    redis.run();
    until(200, || client().get(app.counter("2"))).await;
    until(200, || client().get(&ready)).await;
    assert_eq!(app.add("2").await, 1);
}

#[tokio::test]
async fn redis_lost_under_way_is_503_and_the_next_one_counts_again() {
    let mut redis = RedisServer::start_with(&["--appendonly yes", "--appendfsync always"]);
    let app = origin(&redis).await;
    assert_eq!(status(client().post(app.counter("2"))).await, 200);
    redis.kill();
    assert_eq!(status(client().post(app.counter("2"))).await, 503);
    assert_eq!(status(client().get(app.counter("2"))).await, 503);
    redis.run();
    until(200, || client().get(app.counter("2"))).await;
    assert_eq!(app.read("2").await, 1, "what was answered 503 while Redis was down was not counted");
}

#[tokio::test]
async fn a_hanging_redis_is_503_in_bounded_time() {
    let mut redis = RedisServer::start();
    let app = origin(&redis).await;
    assert_eq!(status(client().post(app.counter("2"))).await, 200);
    // Redis answers no command; the connection stays open.
    redis.pause();
    let asked = Instant::now();
    assert_eq!(status(client().get(app.counter("2"))).await, 503);
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    redis.resume();
    until(200, || client().get(app.counter("2"))).await;
}

/// What `/readyz` says about the store.
async fn readiness(app: &TestApp) -> String {
    let answer: Value = app.get("/readyz").await.json().await.expect("JSON");
    answer["store"].as_str().expect("a word").to_owned()
}

/// Checks that POSTs and `/readyz` are 503 from `refuse` to `go_on`, that the counter is read meanwhile, and that it counts on then.
async fn is_read_meanwhile(app: &TestApp, refuse: impl AsyncFn(), go_on: impl AsyncFn()) {
    let before = app.read("2").await;
    refuse().await;
    let refused = client().post(app.counter("2")).answer().await;
    assert_eq!(refused.status(), 503);
    assert!(refused.text().await.expect("a problem").contains("so this has not been counted"));
    until(200, || client().get(app.counter("2"))).await;
    assert_eq!(app.read("2").await, before);
    assert_eq!(readiness(app).await, "unavailable");
    go_on().await;
    until(200, || client().post(app.counter("2"))).await;
    assert_eq!(app.read("2").await, before + 1, "only what was answered 200 is counted");
    assert_eq!(readiness(app).await, "ok");
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_read_and_counts_again_later() {
    let redis = RedisServer::start();
    let app = origin(&redis).await;
    assert_eq!((app.add("2").await, readiness(&app).await.as_str()), (1, "ok"));
    // A Redis that is full, one that has become a replica, and one that has too few replicas.
    for (refuse, go_on) in [
        (&["CONFIG", "SET", "maxmemory", "1"][..], &["CONFIG", "SET", "maxmemory", "0"][..]),
        (&["REPLICAOF", "127.0.0.1", "9"], &["REPLICAOF", "NO", "ONE"]),
        (&["CONFIG", "SET", "min-replicas-to-write", "1"], &["CONFIG", "SET", "min-replicas-to-write", "0"]),
    ] {
        eprintln!("{refuse:?}");
        let command = async |command: &[&str]| drop(redis.cli(command));
        is_read_meanwhile(&app, async || command(refuse).await, async || command(go_on).await).await;
    }
}

#[tokio::test]
async fn a_redis_that_cannot_save_its_file_is_read_and_counts_again_later() {
    let redis = RedisServer::start();
    let app = origin(&redis).await;
    assert_eq!(app.add("2").await, 1);
    redis.cli(&["CONFIG", "SET", "save", "3600 1"]);
    let save = async |status: &str| {
        redis.cli(&["BGSAVE"]);
        let line = format!("rdb_last_bgsave_status:{status}");
        let saved = || redis.cli(&["INFO", "persistence"]).contains(&line);
        reached("the end of the attempt to save", saved).await;
    };
    // Redis cannot put its file in the place of a directory.
    let place = redis.directory().join("dump.rdb");
    let refuse = async || {
        std::fs::create_dir_all(place.join("in the way")).expect("a directory");
        save("err").await;
    };
    let go_on = async || {
        std::fs::remove_dir_all(&place).expect("the directory to be removed");
        save("ok").await;
    };
    is_read_meanwhile(&app, refuse, go_on).await;
}

#[tokio::test]
async fn two_origins_share_the_numbers() {
    let redis = RedisServer::start();
    let (one, two) = (origin(&redis).await, origin(&redis).await);
    for (app, expected) in [(&one, 1), (&two, 2), (&one, 3)] {
        assert_eq!(app.add("2").await, expected);
    }
}
