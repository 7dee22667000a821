//! What the announcer has done, as plain numbers: whoever exports them reads them here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts since the start, and since when deliveries fail.
#[derive(Debug, Default)]
pub struct Stats {
    /// Announcements claimed.
    pub claimed: AtomicU64,
    /// Announcements acknowledged: accepted by every outlet.
    pub acknowledged: AtomicU64,
    /// Announcements given up, for a later sweep.
    pub given_up: AtomicU64,
    /// Surrogate keys purged, second purges included.
    pub purged: AtomicU64,
    /// Purge requests that failed.
    pub purge_failures: AtomicU64,
    /// Topics that a sweep took up.
    pub swept: AtomicU64,
    /// Times the store did not answer the announcer.
    pub store_failures: AtomicU64,
    failing_since: Mutex<Option<Instant>>,
}

impl Stats {
    /// For how long announcements have not got through; `None` while they do.
    pub fn failing_for(&self) -> Option<Duration> {
        self.failing().map(|since| since.elapsed())
    }

    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Notes how a delivery ended. Returns whether that is news.
    pub(super) fn delivered(&self, well: bool) -> bool {
        let mut failing = self.failing();
        let news = failing.is_some() == well;
        match (&*failing, well) {
            (Some(_), true) => *failing = None,
            (None, false) => *failing = Some(Instant::now()),
            _ => {}
        }
        news
    }

    fn failing(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.failing_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_failure_and_the_recovery_are_news() {
        let stats = Stats::default();
        assert!(!stats.delivered(true));
        assert!(stats.delivered(false));
        assert!(!stats.delivered(false));
        assert!(stats.failing_for().is_some());
        assert!(stats.delivered(true));
        assert!(stats.failing_for().is_none());
    }
}
