//! The log lines about failures of the store, of purges and of announcements: one line when an outage begins, one more for each
//! further reason, and one when the outage is over. A single attempt has no line.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most reasons of one outage that are logged: some reasons change with every attempt.
const MOST_REASONS: usize = 8;

/// The log lines about one thing that may fail for a while.
#[derive(Debug)]
pub(super) struct Outage {
    fails: &'static str,
    works: &'static str,
    /// An outage is over when there has been a success and then no failure for this time: failures now and then are one outage.
    calm: Duration,
    failing: Mutex<Option<OutageState>>,
}

#[derive(Debug)]
struct OutageState {
    /// The reasons that have been logged.
    reasons: Vec<String>,
    last: Instant,
    /// Whether there has been a success since the last failure.
    mended: bool,
}

/// The outages of the parts on which the announcer depends.
#[derive(Debug)]
pub(super) struct Outages {
    pub(super) store: Outage,
    pub(super) purging: Outage,
    pub(super) delivering: Outage,
}

impl Default for Outages {
    fn default() -> Self {
        // A failed announcement is repeated after its lease, about 6 s. A sweep comes every second, but in a Cluster without one of
        // its nodes only those sweeps fail which no sweep of another origin prevents.
        let (lease, sweeps) = (Duration::from_secs(10), Duration::from_secs(5));
        Outages {
            store: Outage::new("the store is unavailable", "the store answers again", sweeps),
            purging: Outage::new("purging fails", "purging works again", lease),
            delivering: Outage::new(
                "announcements do not get through to every proxy or the cache; they stay in the outbox",
                "announcements get through again",
                lease,
            ),
        }
    }
}

impl Outages {
    /// Logs which outages are over. Must be called about once a second.
    pub(super) fn log_the_end(&self) {
        for outage in [&self.store, &self.purging, &self.delivering] {
            if outage.is_over(Instant::now()) {
                tracing::info!("{}", outage.works);
            }
        }
    }
}

impl Outage {
    fn new(fails: &'static str, works: &'static str, calm: Duration) -> Self {
        Outage { fails, works, calm, failing: Mutex::new(None) }
    }

    /// Records that an attempt has failed.
    pub(super) fn record_failure(&self, reason: &str) {
        self.record_failure_with(reason, "");
    }

    /// The same, with a detail for the log line. Another detail does not make another reason.
    pub(super) fn record_failure_with(&self, reason: &str, detail: &str) {
        if self.is_news(reason, Instant::now()) {
            let colon = if detail.is_empty() { "" } else { ": " };
            tracing::warn!(reason, detail, "{}: {reason}{colon}{detail}", self.fails);
        }
    }

    /// Records that an attempt has succeeded.
    pub(super) fn record_success(&self) {
        if let Some(failing) = self.failing().as_mut() {
            failing.mended = true;
        }
    }

    fn is_news(&self, reason: &str, now: Instant) -> bool {
        let mut failing = self.failing();
        let failing =
            failing.get_or_insert_with(|| OutageState { reasons: Vec::new(), last: now, mended: false });
        (failing.last, failing.mended) = (now, false);
        let news = failing.reasons.len() < MOST_REASONS && !failing.reasons.iter().any(|said| said == reason);
        if news {
            failing.reasons.push(reason.to_owned());
        }
        news
    }

    fn is_over(&self, now: Instant) -> bool {
        let over =
            |failing: &mut OutageState| failing.mended && now.duration_since(failing.last) >= self.calm;
        self.failing().take_if(over).is_some()
    }

    fn failing(&self) -> MutexGuard<'_, Option<OutageState>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn outage() -> (Outage, Instant) {
        (Outage::new("x fails", "x works", 10 * SECOND), Instant::now())
    }

    #[test]
    fn each_reason_is_said_once_in_an_outage_and_again_in_the_next() {
        let (outage, start) = outage();
        for (second, reason, news) in [(0, "a", true), (1, "a", false), (2, "b", true), (3, "a", false)] {
            assert_eq!(outage.is_news(reason, start + second * SECOND), news, "{second}");
        }
        outage.record_success();
        assert!(outage.is_over(start + 13 * SECOND) && !outage.is_over(start + 14 * SECOND));
        assert!(outage.is_news("a", start + 20 * SECOND));
    }

    #[test]
    fn failures_now_and_then_are_one_outage() {
        let (outage, start) = outage();
        for n in 0..20 {
            assert_eq!(outage.is_news("a", start + 9 * n * SECOND), n == 0);
            outage.record_success();
            assert!(!outage.is_over(start + (9 * n + 8) * SECOND));
        }
    }

    #[test]
    fn silence_is_no_recovery() {
        let (outage, start) = outage();
        assert!(!outage.is_over(start), "none has begun");
        outage.is_news("a", start);
        assert!(!outage.is_over(start + 100 * SECOND));
        outage.record_success();
        assert!(outage.is_over(start + 100 * SECOND));
    }

    #[test]
    fn reasons_that_are_never_the_same_are_few_lines() {
        let (outage, start) = outage();
        let said = (0..100).filter(|n| outage.is_news(&n.to_string(), start)).count();
        assert_eq!(said, MOST_REASONS);
    }
}
