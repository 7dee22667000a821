//! The product end to end: POST → store → announcer → Pushpin → listener, through the cache and back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{Claim, ClaimTerms, Outbox, Values, Write};

use crate::support::chain::Chain;
use crate::support::http::{Ask, client};
use crate::support::pushpin::Options;
use crate::support::sse::Listener;

pub(crate) const SOON: Duration = Duration::from_secs(10);
const RECOVERIES: &str = r#"livecounter_http_requests_total{route="/counters/{id}/recover""#;
pub(crate) const READS: &str = r#"livecounter_http_requests_total{route="/counters/{id}/",method="GET""#;

pub(crate) async fn post(url: &str) -> String {
    let answer = client().post(url).answer().await;
    assert_eq!(answer.status(), 200);
    answer.text().await.expect("a text").trim().to_owned()
}

/// Polls a number until it satisfies the condition.
pub(crate) async fn until(mut number: impl AsyncFnMut() -> f64, reached: impl Fn(f64) -> bool) {
    let mut poll = tokio::time::interval(Duration::from_millis(50));
    let wait = async {
        while !reached(number().await) {
            poll.tick().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("the number to get there");
}

pub(crate) fn store(chain: &Chain) -> RedisStore {
    RedisStore::connect(&chain.redis.url(), Duration::from_secs(2)).expect("a store")
}

fn topic(id: &str) -> Topic {
    Topic::counter(&id.parse().expect("an id"))
}

/// Adds to a counter as an origin would that claims, dies before it publishes, and has acknowledged all the same.
pub(crate) async fn lose_a_publish(chain: &Chain, id: &str, amount: i64) {
    lose_a_publish_of(chain, &topic(id), amount).await;
}

/// The same with any topic.
pub(crate) async fn lose_a_publish_of(chain: &Chain, topic: &Topic, amount: i64) {
    let store = store(chain);
    store.write(vec![Write::add(topic.clone(), amount, None)]).await.remove(0).expect("to add");
    let terms = ClaimTerms { interval: Duration::ZERO, lease: Duration::from_secs(60) };
    let mut poll = tokio::time::interval(Duration::from_millis(20));
    let claimed = loop {
        match store.claim(vec![topic.clone()], terms).await.remove(0).expect("the store to answer") {
            Claim::Announce(announcement) => break announcement,
            Claim::Wait(_) => poll.tick().await,
            Claim::Nothing => panic!("another origin has claimed the topic"),
        };
    };
    store.acknowledge(vec![(topic.clone(), claimed.id)]).await.expect("to acknowledge");
}

#[tokio::test]
async fn a_listener_gets_the_value_and_every_origin_s_changes() {
    let chain = Chain::start(2).await;
    post(&format!("{}?by=26", chain.pushpin.url("/counters/2/"))).await;
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/2/").await;
    assert_eq!(listener.status(), 200);
    assert_eq!(listener.header("content-type"), "text/event-stream");
    assert_eq!(listener.header("grip-hold"), "", "the proxy keeps its instructions to itself");
    let first = listener.next(SOON).await;
    assert_eq!((first.event.as_deref(), first.data.as_str()), (Some("message"), "26"));
    for (origin, expected) in [(0, "27"), (1, "28"), (0, "29")] {
        assert_eq!(post(&chain.origins[origin].counter("2")).await, expected);
        listener.until_data(expected, SOON).await;
    }
}

#[tokio::test]
async fn a_hot_counter_is_published_at_most_once_per_interval_over_all_origins() {
    let interval = Duration::from_millis(500);
    let chain = Chain::with(2, &[("LIVECOUNTER__PUBLISH__INTERVAL", "500ms")], Options::default()).await;
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/hot/").await;
    listener.until_data("0", SOON).await;
    let before = chain.metric("livecounter_announcements_claimed_total").await;
    let started = Instant::now();
    for _ in 0..150 {
        for origin in &chain.origins {
            post(&origin.counter("hot")).await;
        }
    }
    let seen = listener.until_data("300", SOON).await;
    let most = started.elapsed().as_millis() / interval.as_millis() + 2;
    let claimed = chain.metric("livecounter_announcements_claimed_total").await - before;
    assert!(claimed <= most as f64, "{claimed} publishes, at most {most} fit the time");
    let values: Vec<u32> = seen.iter().map(|event| event.data.parse().expect("a number")).collect();
    assert!(values.is_sorted(), "never an older value after a newer one: {values:?}");
}

#[tokio::test]
async fn the_first_subscription_s_fetch_shows_no_value_twice() {
    let chain = Chain::start(1).await;
    post(&chain.origins[0].counter("2")).await;
    until(async || chain.metric("livecounter_announcements_acknowledged_total").await, |n| n >= 1.0).await;
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/2/").await;
    assert_eq!(listener.next(SOON).await.data, "1");
    until(async || chain.metric(RECOVERIES).await, |fetches| fetches >= 1.0).await;
    post(&chain.origins[0].counter("2")).await;
    assert_eq!(listener.next(SOON).await.data, "2", "the fetch in between had nothing to say");
}

#[tokio::test]
async fn a_lost_publish_heals_with_the_next_one() {
    let chain = Chain::start(1).await;
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/2/").await;
    post(&chain.origins[0].counter("2")).await;
    listener.until_data("1", SOON).await;
    lose_a_publish(&chain, "2", 40).await;
    post(&chain.origins[0].counter("2")).await;
    let seen = listener.until_data("42", SOON).await;
    assert!(seen.iter().all(|event| event.data != "1"), "no older value: {seen:?}");
}

#[tokio::test]
async fn changes_of_a_killed_origin_are_announced_by_another() {
    let chain = Chain::start(1).await;
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/2/").await;
    listener.until_data("0", SOON).await;
    // The test goes on after Pushpin's fetch for the first subscription: if that fails, Pushpin holds items back for seconds and repeats it.
    until(async || chain.metric(RECOVERIES).await, |fetches| fetches >= 1.0).await;
    // As if an origin was killed between its addition and its claim: the store has the value, and it is not published.
    let store = store(&chain);
    store.write(vec![Write::add(topic("2"), 7, None)]).await.remove(0).expect("to add");
    listener.until_data("7", SOON).await;
    // As if an origin was killed between its claim and its publish: the lease runs out.
    store.write(vec![Write::add(topic("2"), 1, None)]).await.remove(0).expect("to add");
    let terms = ClaimTerms { interval: Duration::ZERO, lease: Duration::from_millis(500) };
    let mut poll = tokio::time::interval(Duration::from_millis(20));
    while let Claim::Wait(_) =
        store.claim(vec![topic("2")], terms).await.remove(0).expect("the store to answer")
    {
        poll.tick().await;
    }
    listener.until_data("8", SOON).await;
    until(async || store.outbox_len().await.expect("a number") as f64, |marks| marks == 0.0).await;
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive_as_often_as_is_set() {
    let settings = [("LIVECOUNTER__STREAMS__KEEP_ALIVE", "2s")];
    let chain = Chain::with(1, &settings, Options::default()).await;
    let opened = Instant::now();
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/2/").await;
    listener.until_data("0", SOON).await;
    let before = listener.comments().len();
    while listener.comments().len() < before + 3 {
        let many = listener.comments().len() - before;
        assert!(opened.elapsed() < 2 * SOON, "three comments take six seconds, and there were {many}");
        assert!(listener.try_next(Duration::from_millis(100)).await.is_none(), "no event");
    }
    // Pushpin's timers run out up to a second early.
    assert!(opened.elapsed() > Duration::from_millis(2500), "{:?}", opened.elapsed());
}

#[tokio::test]
async fn with_interval_0_every_value_comes_through_in_order() {
    let chain = Chain::with(2, &[("LIVECOUNTER__PUBLISH__INTERVAL", "0ms")], Options::default()).await;
    let mut listener = Listener::connect(chain.pushpin.addr(), "/counters/2/").await;
    listener.until_data("0", SOON).await;
    let (one, two) = (chain.origins[0].counter("2"), chain.origins[1].counter("2"));
    // While Pushpin fetches for the first subscription, it holds items back, and then goes on with the value that it has got.
    // So the test goes on after a value that came without a fetch behind the first: the origin counts a fetch before Pushpin
    // has its answer.
    until(async || chain.metric(RECOVERIES).await, |fetches| fetches >= 1.0).await;
    let mut last = 0;
    loop {
        let fetches = chain.metric(RECOVERIES).await;
        post(&one).await;
        last += 1;
        listener.until_data(&last.to_string(), SOON).await;
        if chain.metric(RECOVERIES).await == fetches {
            break;
        }
        assert!(last < 100, "Pushpin fetches for each value");
    }
    for n in 0..20 {
        post(if n % 2 == 0 { &two } else { &one }).await;
    }
    let seen = listener.until_data(&(last + 20).to_string(), SOON).await;
    let values: Vec<u32> = seen.iter().map(|event| event.data.parse().expect("a number")).collect();
    assert_eq!(values, (last + 1..=last + 20).collect::<Vec<_>>());
}

#[tokio::test]
async fn everything_pending_is_announced_when_an_origin_stops() {
    let mut chain = Chain::with(1, &[("LIVECOUNTER__PUBLISH__INTERVAL", "2s")], Options::default()).await;
    let mut listeners = HashMap::new();
    for id in ["a", "b"] {
        let path = format!("/counters/{id}/");
        let mut listener = Listener::connect(chain.pushpin.addr(), &path).await;
        listener.until_data("0", SOON).await;
        listeners.insert(id, listener);
    }
    // The test goes on after Pushpin's fetches for the first subscriptions: Pushpin holds items back while a fetch fails.
    until(async || chain.metric(RECOVERIES).await, |fetches| fetches >= 2.0).await;
    let origin = chain.origins.remove(0);
    for _ in 0..3 {
        post(&origin.counter("a")).await;
        post(&origin.counter("b")).await;
    }
    assert!(origin.stop().await, "it waits for the gates");
    for listener in listeners.values_mut() {
        listener.until_data("3", SOON).await;
    }
    assert_eq!(store(&chain).outbox_len().await.expect("a number"), 0);
}
