//! What `/stats` tells.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::http::kept::KeptAnswers;
use crate::live::Live;
use crate::store::StoreError;

/// The counts of this process since its start, and the number of topics.
#[derive(Default)]
pub struct CountApiStats {
    requests: AtomicU64,
    updates: AtomicU64,
    /// How many topics there were when the store counted them. It has to visit all its buckets for that, so the number is kept.
    topics: KeptAnswers<(), u64, 1>,
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

    /// How many topics there are, as the store has counted them a moment ago.
    pub(super) async fn topics(&self, live: &Live) -> Result<u64, StoreError> {
        self.topics.answer((), live.topic_count()).await
    }
}
