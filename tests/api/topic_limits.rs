//! How many counters there may be, and what happens to one more.

use futures_util::future::join_all;
use serde_json::Value;

use crate::limits::refused;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header, metric};
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::wait::until;
use crate::witness::Witness;

const TEN_TOPICS: (&str, &str) = ("LIVECOUNTER__LIMITS__TOPICS", "10");

/// An origin that counts in this Redis and allows ten counters.
async fn ten_in(redis: &RedisServer, proxy: &Witness) -> TestApp {
    let (url, grip) = (redis.url(), proxy.grip_url());
    TestApp::with(&[("REDIS_URL", &url), ("GRIP_URL", &grip), TEN_TOPICS]).await
}

/// The statuses of one POST to each of these counters, all at the same time.
async fn statuses(app: &TestApp, counters: impl Iterator<Item = u32>) -> Vec<u16> {
    let post = async |counter: u32| app.post(&format!("/counters/{counter}/")).await.status().as_u16();
    join_all(counters.map(post)).await
}

/// Asserts that counters are created up to the limit and not beyond, while the existing ones can be changed.
async fn no_more_topics_than_may_be(app: &TestApp) {
    let mut made = statuses(app, 0..30).await;
    made.sort_unstable();
    assert_eq!(
        made,
        [[200; 10].as_slice(), &[507; 20]].concat(),
        "of many at once, as many as there is room for"
    );
    let answer = app.post("/counters/new/").await;
    assert_eq!(answer.status(), 507);
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["type"], "urn:livecounter:problem:too-many-topics");
    assert_eq!(problem["status"], 507);
    assert_eq!(app.read("new").await, 0);

    let again = statuses(app, 0..30).await;
    assert_eq!(
        again.iter().filter(|status| **status == 200).count(),
        10,
        "those that there are go on: {again:?}"
    );
    assert_eq!(refused(app, "topics").await, Some(41.0));
    assert_eq!(metric(&app.address, "livecounter_topics ").await, Some(10.0));
    assert_eq!(metric(&app.address, "livecounter_topics_limit ").await, Some(10.0));
}

#[tokio::test]
async fn beyond_the_most_topics_new_ones_are_507_and_others_go_on() {
    no_more_topics_than_may_be(&TestApp::with(&[TEN_TOPICS]).await).await;
}

#[tokio::test]
async fn on_redis_the_most_topics_are_no_more_and_room_is_seen() {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let app = ten_in(&redis, &proxy).await;
    no_more_topics_than_may_be(&app).await;
    redis.cli(&["FLUSHALL"]);
    until("room for new ones", async || statuses(&app, 50..51).await == [200]).await;
}

#[tokio::test]
async fn two_origins_stop_at_the_most_topics_together() {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let (one, other) = (ten_in(&redis, &proxy).await, ten_in(&redis, &proxy).await);
    // One after the other: what is under way when an origin asks for the number of topics may count twice for a second.
    for counter in 0..6 {
        assert_eq!(statuses(&one, counter..counter + 1).await, [200]);
    }
    // The second origin asks Redis for the number of topics at its first new topic.
    let mut made = Vec::new();
    for counter in 10..20 {
        made.extend(statuses(&other, counter..counter + 1).await);
    }
    assert_eq!(made.iter().filter(|status| **status == 200).count(), 4, "{made:?}");
    // The first origin may create some more, until it asks for the number again.
    let mut new = 20..;
    until("a count that knows of the other's", async || {
        let counter = new.next().expect("another");
        statuses(&one, counter..counter + 1).await == [507]
    })
    .await;
    assert_eq!(statuses(&other, 1000..1001).await, [507]);
    assert_eq!(statuses(&other, 0..6).await, [200; 6]);
}

#[tokio::test]
async fn a_key_refused_for_want_of_room_counts_nothing() {
    let app = TestApp::with(&[("LIVECOUNTER__LIMITS__TOPICS", "1")]).await;
    let post = async |counter: &str| {
        let post = client().post(app.counter(counter)).header("idempotency-key", "k");
        let answer = post.answer().await;
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    };
    let first = post("a").await;
    assert_eq!(first, (200, "1\n".to_owned()));
    assert_eq!(post("b").await.0, 507);
    assert_eq!(post("b").await.0, 507);
    assert_eq!(post("a").await, first);
    assert_eq!((app.read("a").await, app.read("b").await), (1, 0));
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_503_where_topics_are_limited() {
    let (redis, proxy) = (RedisServer::stopped(), Witness::start().await);
    let app = ten_in(&redis, &proxy).await;
    assert_eq!(statuses(&app, 0..1).await, [503]);
    let known = metric(&app.address, "livecounter_topics ").await;
    assert!(known.is_some_and(f64::is_nan), "{known:?}");
}
