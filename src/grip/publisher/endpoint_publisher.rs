//! The publisher for one endpoint: its queue, the task that empties the queue, and the health of the endpoint.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::error::Refusal;
use super::options::PublisherOptions;
use super::post::{Failure, Outcome, Poster};
use super::queue::{Batch, ItemQueue};
use super::queued_item::{OutcomeSender, QueuedItem};
use crate::grip::{Endpoint, Item};

/// The most that one request has. Pushpin's and Fastly's limits are higher; these keep the time until an answer short.
const MAX_ITEMS: usize = 100;
/// The most that one request has if the endpoint takes longer than [`SLOW`] to answer. As only one request is under way at a
/// time, most items would otherwise wait in the queue longer than their callers wait.
const MAX_ITEMS_TO_A_SLOW_ONE: usize = 1_000;
const SLOW: Duration = Duration::from_millis(250);
const MAX_BYTES: usize = 500_000;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The health and the counts of one endpoint at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointState {
    /// The endpoint's name: host, port and path.
    pub endpoint: String,
    /// Whether the last request succeeded; `true` before the first.
    pub up: bool,
    /// Items that wait or are under way.
    pub pending: usize,
    /// Items that the endpoint has accepted.
    pub published: u64,
    /// Items that the endpoint will never get: it has refused them, or the queue was full.
    pub refused: u64,
    /// Requests to the endpoint.
    pub requests: u64,
    /// Requests that did not succeed.
    pub failures: u64,
}

pub(super) struct EndpointPublisher {
    name: Arc<str>,
    queue: Mutex<ItemQueue>,
    filled: Notify,
    up: AtomicBool,
    published: AtomicU64,
    refused: AtomicU64,
    requests: AtomicU64,
    failures: AtomicU64,
}

impl EndpointPublisher {
    pub(super) fn new(endpoint: &Endpoint, options: &PublisherOptions) -> Self {
        EndpointPublisher {
            name: endpoint.name().into(),
            queue: Mutex::new(ItemQueue::new(options.merge, options.max_pending)),
            filled: Notify::new(),
            up: AtomicBool::new(true),
            published: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Queues the items. Each waiter gets the outcome of its own item.
    pub(super) fn push(&self, items: impl Iterator<Item = (Arc<Item>, OutcomeSender)>) {
        let mut queue = self.queue();
        for (item, waiter) in items {
            for oldest in queue.push(QueuedItem::new(item, waiter)) {
                self.refused.fetch_add(1, Relaxed);
                oldest.settle(Err(Refusal::Overflow));
            }
        }
        drop(queue);
        self.filled.notify_one();
    }

    pub(super) fn state(&self) -> EndpointState {
        EndpointState {
            endpoint: self.name.to_string(),
            up: self.up.load(Relaxed),
            pending: self.queue().pending(),
            published: self.published.load(Relaxed),
            refused: self.refused.load(Relaxed),
            requests: self.requests.load(Relaxed),
            failures: self.failures.load(Relaxed),
        }
    }

    /// Sends the queued items, for ever.
    pub(super) async fn run(&self, mut poster: Poster) {
        let mut pace = Pace::new();
        loop {
            let batch = self.queue().take(pace.batch_size, MAX_BYTES);
            let Some(Batch { entries, body }) = batch else {
                self.filled.notified().await;
                continue;
            };
            self.requests.fetch_add(1, Relaxed);
            let posted = Instant::now();
            match poster.post(body).await {
                Outcome::Accepted => {
                    pace.went_well(posted.elapsed());
                    self.accept(entries);
                }
                Outcome::Refused(status) => {
                    self.failures.fetch_add(1, Relaxed);
                    let lone = entries.len() == 1;
                    pace.was_refused(entries.len());
                    if lone {
                        self.refuse(entries, status.as_u16(), pace.starts_refusing());
                    } else {
                        self.queue().put_back(entries, false);
                    }
                }
                Outcome::Failed(failure) => {
                    self.fail(entries, &failure);
                    tokio::time::sleep(pace.pause(failure.retry_after)).await;
                }
            }
        }
    }

    fn accept(&self, entries: Vec<(u64, QueuedItem)>) {
        self.published.fetch_add(entries.len() as u64, Relaxed);
        if !self.up.swap(true, Relaxed) {
            tracing::info!(endpoint = &*self.name, "publishing to {} works again", self.name);
        }
        self.settle(entries, Ok(()));
    }

    /// Settles an item that the endpoint has refused and would refuse again.
    fn refuse(&self, entries: Vec<(u64, QueuedItem)>, status: u16, log: bool) {
        self.refused.fetch_add(entries.len() as u64, Relaxed);
        if log && let Some((_, entry)) = entries.first() {
            let (endpoint, channel) = (&*self.name, &entry.item().channel);
            tracing::warn!(endpoint, channel, status, "{endpoint} refused an item for {channel}: {status}");
        }
        self.settle(entries, Err(Refusal::Status(status)));
    }

    fn fail(&self, entries: Vec<(u64, QueuedItem)>, failure: &Failure) {
        self.failures.fetch_add(1, Relaxed);
        if self.up.swap(false, Relaxed) {
            let (endpoint, reason) = (&*self.name, &failure.reason);
            tracing::warn!(endpoint, reason, "publishing to {endpoint} fails: {reason}");
        }
        self.queue().put_back(entries, failure.doubtful);
    }

    fn settle(&self, entries: Vec<(u64, QueuedItem)>, outcome: Result<(), Refusal>) {
        self.queue().settled();
        for (_, entry) in entries {
            entry.settle(outcome);
        }
    }

    /// Ignores a poisoned lock: no code panics while it holds the lock, and a queue stays valid after a panic.
    fn queue(&self) -> MutexGuard<'_, ItemQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The size of the next request, and the pause after a failure.
struct Pace {
    /// The most items of a request. The number is halved while a server refuses whole batches, until the refused item is alone, and
    /// doubled after each success.
    batch_size: usize,
    pause: Duration,
    refusing: bool,
}

impl Pace {
    fn new() -> Self {
        Pace { batch_size: MAX_ITEMS, pause: FIRST_PAUSE, refusing: false }
    }

    fn went_well(&mut self, took: Duration) {
        let most = if took > SLOW { MAX_ITEMS_TO_A_SLOW_ONE } else { MAX_ITEMS };
        *self = Pace { batch_size: (self.batch_size * 2).min(most), ..Pace::new() };
    }

    fn was_refused(&mut self, items: usize) {
        self.batch_size = (items / 2).max(1);
    }

    /// Whether this refusal is the first since the last success, so that a server that refuses everything is logged once.
    fn starts_refusing(&mut self) -> bool {
        !std::mem::replace(&mut self.refusing, true)
    }

    /// The pause: between half and all of a time that doubles, so that origins do not repeat at the same moment.
    fn pause(&mut self, at_least: Option<Duration>) -> Duration {
        let random = getrandom::u32().unwrap_or(u32::MAX);
        let pause = self.pause.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        pause.max(at_least.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_jitter_up_to_a_limit() {
        let mut pace = Pace::new();
        for expected in [50, 100, 200, 400, 800, 1600, 2000, 2000] {
            let pause = pace.pause(None).as_millis();
            assert!((expected / 2..=expected).contains(&pause), "{pause} for {expected}");
        }
        assert_eq!(pace.pause(Some(Duration::from_secs(7))), Duration::from_secs(7));
        pace.went_well(Duration::ZERO);
        assert!(pace.pause(None) <= FIRST_PAUSE);
    }

    #[test]
    fn batches_shrink_while_refused_and_grow_again() {
        let mut pace = Pace::new();
        let mut sizes = Vec::new();
        while pace.batch_size > 1 {
            pace.was_refused(pace.batch_size);
            sizes.push(pace.batch_size);
        }
        assert_eq!(sizes, [50, 25, 12, 6, 3, 1]);
        assert!(pace.starts_refusing() && !pace.starts_refusing());
        pace.went_well(Duration::ZERO);
        assert!(pace.starts_refusing());
        (0..10).for_each(|_| pace.went_well(Duration::ZERO));
        assert_eq!(pace.batch_size, MAX_ITEMS);
    }

    #[test]
    fn batches_grow_while_the_endpoint_is_slow() {
        let mut pace = Pace::new();
        let mut sizes = Vec::new();
        for _ in 0..5 {
            pace.went_well(2 * SLOW);
            sizes.push(pace.batch_size);
        }
        assert_eq!(sizes, [200, 400, 800, 1_000, 1_000]);
        pace.went_well(SLOW);
        assert_eq!(pace.batch_size, MAX_ITEMS);
    }
}
