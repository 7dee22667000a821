//! Several origins behind one Pushpin and one cache publish as often as one, and are read as often.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::support::chain::Chain;
use crate::support::http::{Ask, client};
use crate::support::pushpin::Options;
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(500);
const JOINING: usize = 50;
const READS: &str = r#"livecounter_http_requests_total{route="/counters/{id}/",method="GET""#;
const CLAIMED: &str = "livecounter_announcements_claimed_total";
const PURGED: &str = "livecounter_purged_keys_total";

/// Adds to the counter until `stop` is set. Returns the number of additions.
async fn add(url: String, stop: Arc<AtomicBool>) -> u64 {
    let (client, mut added) = (client(), 0);
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    while !stop.load(Relaxed) {
        pace.tick().await;
        assert_eq!(client.post(&url).answer().await.status(), 200);
        added += 1;
    }
    added
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_origins_publish_as_one_and_are_asked_once_per_change() {
    let interval = format!("{}ms", INTERVAL.as_millis());
    let settings = [("LIVECOUNTER__PUBLISH__INTERVAL", interval.as_str())];
    let chain = Chain::with(3, &settings, Options::default()).await;
    let before = (chain.metric(READS).await, chain.metric(CLAIMED).await, chain.metric(PURGED).await);
    let (started, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let urls = chain.origins.iter().map(|origin| origin.counter("hot"));
    let adding: Vec<_> = urls.map(|url| tokio::spawn(add(url, Arc::clone(&stop)))).collect();
    let mut listeners = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..JOINING {
        pace.tick().await;
        listeners.push(Listener::connect(chain.pushpin.addr(), "/counters/hot/").await);
    }
    stop.store(true, Relaxed);
    let mut added = 0;
    for adding in adding {
        added += adding.await.expect("to add");
    }
    for listener in &mut listeners {
        listener.until_data(&added.to_string(), SOON).await;
    }
    let claimed = chain.metric(CLAIMED).await - before.1;
    let most = started.elapsed().as_secs_f64() / INTERVAL.as_secs_f64() + 1.0;
    let (read, purged) = (chain.metric(READS).await - before.0, chain.metric(PURGED).await - before.2);
    eprintln!("{added} added, {claimed} published, {purged} purges, {read} reads");
    assert!(claimed <= most, "{claimed} publishes, at most {most} fit the time");
    assert!(claimed >= most / 2.0, "{claimed} publishes: it was not busy");
    // Each change costs a purge, and a second one if another origin makes the next change; the first listener that joins afterwards costs a read.
    assert!(read <= purged + 1.0, "{read} reads after {purged} purges");
    assert!(read <= 1.5 * claimed + 1.0, "{read} reads for {claimed} changes");
}
