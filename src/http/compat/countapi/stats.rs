//! What `/stats` tells.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::live::Live;
use crate::store::StoreError;

/// How often the store is asked how many numbers it has, because it has to visit all its buckets to count.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The counts of this process since its start, and the number of topics.
#[derive(Debug, Default)]
pub struct CountApiStats {
    requests: AtomicU64,
    updates: AtomicU64,
    /// When the store has counted its topics, and how many there were.
    topics: Mutex<Option<(Instant, u64)>>,
}

impl CountApiStats {
    /// Counts a request.
    pub(super) fn add_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a change of a counter.
    pub(super) fn add_update(&self) {
        self.updates.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests this process has had.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many changes this process has made.
    pub(super) fn updates(&self) -> u64 {
        self.updates.load(Ordering::Relaxed)
    }

    /// How many topics there are. However often clients ask, the store is asked at most once in [`COUNT_EVERY`].
    pub(super) async fn topics(&self, live: &Live) -> Result<u64, StoreError> {
        let mut known = self.topics.lock().await;
        if let Some((_, topics)) = known.filter(|(asked, _)| asked.elapsed() < COUNT_EVERY) {
            return Ok(topics);
        }
        let topics = live.topic_count().await?;
        *known = Some((Instant::now(), topics));
        Ok(topics)
    }
}
