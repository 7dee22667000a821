//! The whole chain with fault proxies between its parts, listeners and writers. The check at the end is in [`verdict`](crate::verdict).

use std::time::{Duration, Instant};

use livecounter::store::Outbox;
use livecounter::store::redis::RedisStore;
use reqwest::Client;

pub(crate) use crate::end::{End, Lost};
use crate::engine::{Engine, OneRedis};
use crate::fault_proxy::FaultProxy;
use crate::hits;
use crate::listeners::{Listeners, Seen};
use crate::managers::{Managers, Owner};
use crate::order::Change;
use crate::origin::Origin;
use crate::routes::Routes;
use crate::support::pushpin::Pushpin;
use crate::support::varnish::Varnish;
use crate::writers::Writers;

/// The interval of publishing, by Redis's clock.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);
const POLL: Duration = Duration::from_millis(50);

/// A running chain, which ends when this value is dropped.
pub(crate) struct World<E = OneRedis> {
    pub(crate) listeners: Listeners,
    pub(crate) writers: Writers,
    pub(crate) managers: Managers,
    /// The writers that visit pages.
    pub(crate) visitors: Writers,
    /// The writers and listeners of feeds and entities.
    pub(crate) routes: Routes,
    /// The key of the origins with which managers write.
    pub(crate) owner: Owner,
    pub(crate) origins: Vec<Origin>,
    pub(crate) pushpins: Vec<Pushpin>,
    /// The fault proxies between the origins and each Pushpin's control port.
    pub(crate) controls: Vec<FaultProxy>,
    /// The fault proxy between the origins and the purge API.
    pub(crate) purges: FaultProxy,
    /// The fault proxies between the cache and each origin.
    pub(crate) fetches: Vec<FaultProxy>,
    pub(crate) redis: E,
    pub(crate) cache: Varnish,
    /// The counters that are only added to.
    pub(crate) counters: Vec<String>,
    /// The counters that are set and deleted, too.
    pub(crate) managed: Vec<String>,
    pub(crate) interval: Duration,
    /// When the first origin was started.
    pub(crate) began: Instant,
    pub(crate) client: Client,
}

impl<E: Engine> World<E> {
    /// The value that the cache answers for a counter, a page or the site.
    pub(crate) async fn cached(&self, name: &str) -> Option<i64> {
        read(&self.client, &self.cache.url(&hits::path(name))).await
    }

    /// Waits until this many more POSTs are answered: the chain works in spite of the fault.
    pub(crate) async fn write_on(&self, count: usize) {
        let from = self.writers.acknowledged();
        let more = async || (self.writers.acknowledged() - from) as i64;
        until("POSTs to be answered", Duration::from_secs(30), more, |more| more >= count as i64).await;
    }

    /// The URL of a running origin.
    pub(crate) fn base(&self) -> String {
        self.origins.iter().find(|origin| origin.is_running()).expect("a running origin").url("")
    }

    /// The value that a running origin answers for a counter, a page or the site.
    pub(crate) async fn value(&self, name: &str) -> i64 {
        let url = self.base() + &hits::path(name);
        let answer = async {
            loop {
                match read(&self.client, &url).await {
                    Some(value) => return value,
                    None => tokio::time::sleep(POLL).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), answer).await.expect("an answer of an origin")
    }

    /// The number of listeners that have not received the present value of their counter, page or site.
    pub(crate) async fn behind(&self) -> i64 {
        self.behind_by_name().await.iter().map(|(_, _, behind)| behind.len() as i64).sum()
    }

    /// The listeners that have not received the present value, with the name and the value.
    async fn behind_by_name(&self) -> Vec<(String, i64, Vec<Seen>)> {
        let mut all = Vec::new();
        for name in self.all_names() {
            let value = self.value(&name).await;
            let seen = self.listeners.seen().into_iter().filter(|seen| seen.name == name);
            let behind: Vec<Seen> = seen.filter(|seen| seen.value() != Some(value)).collect();
            if !behind.is_empty() {
                all.push((name, value, behind));
            }
        }
        all
    }

    /// The sum of a metric's lines that contain `part`, over all origins.
    pub(crate) async fn metric(&self, part: &str) -> i64 {
        let mut sum = 0.0;
        for origin in self.origins.iter().filter(|origin| origin.is_running()) {
            sum += origin.metric(part).await;
        }
        sum as i64
    }

    /// Waits until an origin has logged this.
    pub(crate) async fn logged(&self, text: &str) {
        let origins =
            async || self.origins.iter().filter(|origin| origin.log().contains(text)).count() as i64;
        until(&format!("{text:?} in a log"), Duration::from_secs(10), origins, |origins| origins > 0).await;
    }

    /// How many POSTs have been answered well.
    pub(crate) fn acknowledged(&self) -> i64 {
        self.writers.acknowledged() as i64
    }

    /// How many of them may be lost where all was safe of which there were so many before: what comes now is safe again.
    pub(crate) fn at_risk_since(&self, before: i64) -> i64 {
        // Each writer may have one answer that it has not recorded yet.
        self.acknowledged() - before + self.writers.count() as i64
    }

    /// The number of origins that are not ready.
    pub(crate) async fn refused(&self) -> i64 {
        let mut refused = 0;
        for origin in &self.origins {
            let answer = self.client.get(origin.url("/readyz")).send().await;
            refused += i64::from(!answer.is_ok_and(|answer| answer.status() == 200));
        }
        refused
    }

    /// The number of marks in the outbox.
    pub(crate) async fn marks(&self) -> i64 {
        let store = RedisStore::connect(&self.redis.url(), Duration::from_secs(2)).expect("a store");
        store.outbox_len().await.map_or(-1, |marks| marks as i64)
    }

    /// Adds 1 to a counter through the first Pushpin; it must be answered well.
    pub(crate) async fn add(&self, counter: &str) -> i64 {
        self.writers.add(&format!("http://{}", self.pushpins[0].addr()), counter).await
    }

    /// Starts new writers without the records of the old ones, which must have been stopped.
    pub(crate) fn write_anew(&mut self, count: usize, seed: u64) {
        self.writers = Writers::start(count, &self.bases(), &self.counters, seed);
        self.managers = Managers::start(count / 2, &self.bases(), &self.managed, &self.owner, seed);
        self.visitors = Writers::of_pages(count / 2, &self.bases(), &hits::pages(), seed);
        self.routes.write_anew(count / 3, &self.bases(), seed);
    }

    /// Stops all writers, and then changes everything once more.
    pub(crate) async fn last_changes(&mut self) {
        self.stop_writing().await;
        for counter in &self.counters {
            self.add(counter).await;
        }
        for counter in &self.managed {
            self.change(counter, Change::Add(1)).await;
        }
        self.hit_all(&self.bases()[0]).await;
        self.drop_to_all(&self.bases()[0]).await;
    }

    /// Visits every page, through this base; this must be answered well.
    pub(crate) async fn hit_all(&self, base: &str) {
        for page in hits::pages() {
            self.visitors.hit(base, &page).await;
        }
    }

    /// Writes once more to every feed and entity, through this base; this must be answered well.
    pub(crate) async fn drop_to_all(&self, base: &str) {
        self.routes.write_to_all(base).await;
    }

    /// Changes a managed counter through the first Pushpin; it must be answered well.
    pub(crate) async fn change(&self, counter: &str, change: Change) {
        self.managers.write(&self.owner, &self.bases()[0], counter, change).await;
    }

    pub(crate) async fn stop_writing(&mut self) {
        let within = Duration::from_secs(30);
        self.writers.stop(within).await;
        self.managers.stop(within).await;
        self.visitors.stop(within).await;
        self.routes.stop(within).await;
    }

    /// The names of everything that has a number: counters, pages and their site.
    pub(crate) fn all_names(&self) -> Vec<String> {
        [self.counters.clone(), self.managed.clone(), hits::pages_and_site()].concat()
    }

    fn bases(&self) -> Vec<String> {
        self.pushpins.iter().map(|pushpin| format!("http://{}", pushpin.addr())).collect()
    }

    /// Prepares for a store that is about to lose data: listeners may be shown older states, once.
    pub(crate) fn begin_anew(&self) {
        self.listeners.begin_anew();
        self.routes.begin_anew();
    }

    /// Listeners, and readers through the cache.
    pub(crate) async fn every_listener_sees_the_last_value(&self, within: Duration) {
        let started = Instant::now();
        loop {
            let behind = self.behind_by_name().await;
            if behind.is_empty() {
                break;
            }
            assert!(
                started.elapsed() < within,
                "waited {within:?} for listeners that are behind: {behind:#?}"
            );
            tokio::time::sleep(POLL).await;
        }
        eprintln!("every listener sees the last value {:?} after the last change", started.elapsed());
        let stale = async || {
            let mut stale = 0;
            for name in self.all_names() {
                let cached = self.cached(&name).await;
                stale += i64::from(cached != Some(self.value(&name).await));
            }
            stale
        };
        let left = within.saturating_sub(started.elapsed()).max(Duration::from_secs(3));
        until("readers through the cache to see the last value", left, stale, |stale| stale == 0).await;
    }
}

/// How long what a scenario begins with may take. It takes a second, and more on a machine with other work.
pub(crate) const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// Polls a number until it satisfies the condition.
pub(crate) async fn until(
    what: &str,
    within: Duration,
    mut number: impl AsyncFnMut() -> i64,
    reached: impl Fn(i64) -> bool,
) {
    let deadline = Instant::now() + within;
    loop {
        let number = number().await;
        if reached(number) {
            return;
        }
        assert!(Instant::now() < deadline, "waited {within:?} for {what}; it stands at {number}");
        tokio::time::sleep(POLL).await;
    }
}

/// A counter's value as plain text; `None` where there is no answer.
async fn read(client: &Client, url: &str) -> Option<i64> {
    let answer = client.get(url).send().await.ok().filter(|answer| answer.status() == 200)?;
    answer.text().await.ok()?.trim().parse().ok()
}
