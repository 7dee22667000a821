//! Decides when a log line is due for an event that can happen at any rate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts events and says when a log line is due: for the first event, and later with the number of events since the last line.
#[derive(Debug)]
pub struct Throttle {
    every: Duration,
    total: AtomicU64,
    said: Mutex<Option<Said>>,
}

/// The last line.
#[derive(Clone, Copy, Debug)]
struct Said {
    at: Instant,
    /// The total when the line was written.
    total: u64,
}

impl Throttle {
    /// A throttle that lets at most one line through in this time.
    pub const fn new(every: Duration) -> Self {
        Throttle { every, total: AtomicU64::new(0), said: Mutex::new(None) }
    }

    /// How many events were counted.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts one more event. If a line is due, returns the number of events since the last line, this event included.
    pub fn record(&self) -> Option<u64> {
        self.record_at(Instant::now())
    }

    fn record_at(&self, now: Instant) -> Option<u64> {
        let total = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|said| now.duration_since(said.at) < self.every) {
            return None;
        }
        let before = said.replace(Said { at: now, total }).map_or(0, |said| said.total);
        Some(total.saturating_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_minute_and_none_is_uncounted() {
        let (count, start) = (Throttle::new(Duration::from_secs(60)), Instant::now());
        let said: Vec<_> =
            (0..1800).filter_map(|n| count.record_at(start + Duration::from_millis(100) * n)).collect();
        assert_eq!(said, [1, 600, 600], "three minutes");
        assert_eq!(count.record_at(start + Duration::from_secs(600)), Some(600), "the rest, and one more");
        assert_eq!(count.total(), 1801);
    }
}
