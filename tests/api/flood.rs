//! One client creates counters or pages without end at two origins, while other clients count: a change of a counter that existed before is
//! shown within a second in the median, and within three at worst.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use livecounter::announcer::{Announcer, Outlets, Running};
use livecounter::domain::Topic;
use livecounter::grip::{Publisher, PublisherOptions, endpoints_from};
use livecounter::store::redis::RedisStore;
use livecounter::store::{Values, Write};

use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::redis::RedisServer;
use crate::witness::Witness;

const MEDIAN: Duration = Duration::from_secs(1);
const WORST: Duration = Duration::from_secs(3);

/// Waits until the proxy is told this value of the counter; returns how long that takes. Looks at each request to the proxy
/// once: reading all of them every time would take the processor from the announcers.
async fn shown(proxy: &Witness, counter: &str, value: i64) -> Duration {
    let (since, mut poll) = (Instant::now(), tokio::time::interval(Duration::from_millis(20)));
    let (channel, line, mut next) = (format!("counter-{counter}"), format!("\ndata: {value}\n"), 0);
    loop {
        poll.tick().await;
        if proxy.was_told(&mut next, &channel, &line) {
            return since.elapsed();
        }
        assert!(since.elapsed() < 10 * WORST, "{counter} is not shown to stand at {value}");
    }
}

fn assert_soon(mut delays: Vec<Duration>) {
    delays.sort_unstable();
    eprintln!("{delays:?}");
    assert!(delays[delays.len() / 2] < MEDIAN && delays[delays.len() - 1] < WORST, "{delays:?}");
}

/// The store and the announcer of one origin.
fn announcer(redis: &RedisServer, proxy: &Witness) -> (RedisStore, Running) {
    let connect = || RedisStore::connect(&redis.url(), Duration::from_secs(10)).expect("a good address");
    let endpoints = endpoints_from(&proxy.grip_url()).expect("an address");
    let publisher = Publisher::new(&endpoints, &PublisherOptions::default()).expect("a publisher");
    let outlets =
        Outlets { hub: None, publisher: Some(Arc::new(publisher)), prefix: String::new(), purger: None };
    (connect(), Announcer::start(Arc::new(connect()), outlets, Duration::from_millis(250)))
}

fn topic(id: &str) -> Topic {
    Topic::counter(&id.parse().expect("an id"))
}

async fn add(store: &RedisStore, topics: &[Topic]) {
    let adds = topics.iter().map(|topic| Write::add(topic.clone(), 1, None)).collect();
    assert!(store.write(adds).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn known_counters_pass_new_ones_that_wait_to_be_announced() {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let origins = [announcer(&redis, &proxy), announcer(&redis, &proxy)];
    let known: Vec<String> = (0..9).map(|n| format!("known-{n}")).collect();
    let topics: Vec<Topic> = known.iter().map(|id| topic(id)).collect();
    add(&origins[0].0, &topics).await;
    origins[0].1.announcer().created(topics.clone());
    for id in &known {
        shown(&proxy, id, 1).await;
    }
    // At each origin, more counters than it announces in 20 s.
    let flood = 50_000;
    for (number, (store, running)) in origins.iter().enumerate() {
        let new: Vec<Topic> = (0..flood).map(|n| topic(&format!("new-{number}-{n}"))).collect();
        add(store, &new).await;
        running.announcer().created(new);
    }
    let mut delays = Vec::new();
    for (number, (id, topic)) in known.iter().zip(&topics).enumerate() {
        let (store, running) = &origins[number % 2];
        add(store, std::slice::from_ref(topic)).await;
        running.announcer().changed(vec![topic.clone()]);
        delays.push(shown(&proxy, id, 2).await);
    }
    for (_, running) in &origins {
        assert!(running.announcer().pending() > flood / 10, "the flood is over: this has shown nothing");
    }
    assert_soon(delays);
}

/// While requests for these paths come (GET where the path has a query, POST elsewhere), each of which changes topics that were not announced before,
/// adds to known counters; returns how long it takes to show each change. The proxy takes 500 items a second from each of the two
/// origins, which is less than the requests change.
async fn delays_beside(paths: impl Iterator<Item = String>, changed_topics: usize) -> Vec<Duration> {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let settings = [("REDIS_URL", redis.url()), ("GRIP_URL", proxy.grip_url())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let apps = [TestApp::with(&settings).await, TestApp::with(&settings).await];
    let client = client();
    let ask = async |app: &TestApp, path: &str| {
        let url = format!("{}{path}", app.address);
        let request = if path.contains('?') { client.get(url) } else { client.post(url) };
        let answer = request.answer().await;
        assert_eq!(answer.status(), 200, "{path}");
    };
    let known: Vec<String> = (0..5).map(|n| format!("known-{n}")).collect();
    for id in &known {
        ask(&apps[0], &format!("/counters/{id}/")).await;
        shown(&proxy, id, 1).await;
    }
    proxy.answer_after(Duration::from_millis(200));
    let asked = paths.enumerate().map(|(n, path)| (&apps[n % 2], path));
    let flooding =
        stream::iter(asked).for_each_concurrent(40, |(app, path)| async move { ask(app, &path).await });
    let counting = async {
        // The counting begins when the proxy is behind.
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        while proxy.told().len() < 200 {
            poll.tick().await;
        }
        let mut delays = Vec::new();
        for (number, id) in known.iter().enumerate() {
            ask(&apps[number % 2], &format!("/counters/{id}/")).await;
            delays.push(shown(&proxy, id, 2).await);
        }
        (delays, proxy.told().len())
    };
    let ((delays, told), ()) = tokio::join!(counting, flooding);
    assert!(told < changed_topics * 4 / 5, "the flood is over: this has shown nothing");
    delays
}

#[tokio::test]
async fn known_counters_pass_new_ones_that_wait_for_a_slow_proxy() {
    assert_soon(delays_beside((0..5_000).map(|n| format!("/counters/new-{n}/")), 5_000).await);
}

#[tokio::test]
async fn known_counters_pass_hits_on_new_pages_and_on_a_busy_one() {
    // Of four hits, one is on the same page.
    let page = |n| if n % 4 == 0 { "busy".to_owned() } else { format!("new-{n}") };
    let paths = (0..5_000).map(|n| format!("/count?url=example.com/{}", page(n)));
    assert_soon(delays_beside(paths, 3_750).await);
}
