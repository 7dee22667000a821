//! Counts of the announcer's actions. `http` reads them for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts since the start, and the time since which deliveries have failed.
#[derive(Debug, Default)]
pub struct Stats {
    /// Announcements that were claimed.
    pub claimed: AtomicU64,
    /// Announcements that were acknowledged, as every outlet has accepted them.
    pub acknowledged: AtomicU64,
    /// Announcements that were given up and left to a later sweep.
    pub given_up: AtomicU64,
    /// Surrogate keys that were purged, second purges included.
    pub purged: AtomicU64,
    /// Purge requests that failed.
    pub purge_failures: AtomicU64,
    /// Topics that sweeps have found.
    pub swept: AtomicU64,
    /// Calls of the announcer that the store did not answer.
    pub store_failures: AtomicU64,
    failing: Mutex<Option<FailurePeriod>>,
}

/// A period in which deliveries fail.
#[derive(Clone, Copy, Debug)]
struct FailurePeriod {
    since: Instant,
    last: Instant,
}

/// A failed delivery is repeated when its lease is over, but another origin may repeat it. If this origin has delivered nothing
/// for this time, it no longer knows whether deliveries fail.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15);

impl Stats {
    /// For how long deliveries of this origin have failed; `None` while they succeed, and when the last failure is so long ago
    /// that another origin must have taken over the topic.
    pub fn failing_for(&self) -> Option<Duration> {
        self.failing_at(Instant::now())
    }

    fn failing_at(&self, now: Instant) -> Option<Duration> {
        let failing = (*self.failing())?;
        (now.duration_since(failing.last) < FORGOTTEN_AFTER).then(|| now.duration_since(failing.since))
    }

    pub(super) fn bump(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Records whether a delivery has succeeded.
    pub(super) fn delivered(&self, well: bool) {
        let mut failing = self.failing();
        let now = Instant::now();
        *failing = match *failing {
            _ if well => None,
            Some(FailurePeriod { since, .. }) => Some(FailurePeriod { since, last: now }),
            None => Some(FailurePeriod { since: now, last: now }),
        };
    }

    fn failing(&self) -> MutexGuard<'_, Option<FailurePeriod>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stats_say_failing_from_the_first_failure_to_the_next_success() {
        let (stats, later) = (Stats::default(), Duration::from_secs(5));
        stats.delivered(true);
        assert!(stats.failing_for().is_none());
        stats.delivered(false);
        let first = Instant::now();
        stats.delivered(false);
        assert!(stats.failing_at(first + later).is_some_and(|time| time >= later));
        stats.delivered(true);
        assert!(stats.failing_for().is_none());
    }

    #[test]
    fn a_failure_that_another_origin_has_mended_is_forgotten() {
        let stats = Stats::default();
        stats.delivered(false);
        let now = Instant::now();
        assert!(stats.failing_at(now).is_some());
        assert!(stats.failing_at(now + FORGOTTEN_AFTER).is_none());
    }
}
