//! How often signatures were refused and why, and when that is worth a line in the log: whoever reaches an origin can send
//! as many bad ones as it likes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::SignatureError;

/// Each reason has one line in this time, with how often there was none.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Refused {
    counts: [Count; SignatureError::ALL.len()],
}

#[derive(Debug, Default)]
struct Count {
    total: AtomicU64,
    said: Mutex<Option<Said>>,
}

/// The last line of a reason.
#[derive(Clone, Copy, Debug)]
struct Said {
    at: Instant,
    /// How many there were by then.
    total: u64,
}

impl Refused {
    /// How often each reason has been met, by its short name.
    pub fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let total = |count: &Count| count.total.load(Ordering::Relaxed);
        SignatureError::ALL.iter().zip(&self.counts).map(move |(error, count)| (error.name(), total(count)))
    }

    pub(super) fn note(&self, error: SignatureError) {
        if let Some(count) = self.counts[error as usize].add(Instant::now()) {
            let reason = error.name();
            tracing::warn!(
                reason,
                count,
                "{error}; {count} refused since this was said last, and nothing more for a minute"
            );
        }
    }
}

impl Count {
    /// One more; `Some` where a line is due, with how many there were since the last.
    fn add(&self, now: Instant) -> Option<u64> {
        let total = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|said| now.duration_since(said.at) < LINE_EVERY) {
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
        let (count, start) = (Count::default(), Instant::now());
        let said: Vec<_> =
            (0..1800).filter_map(|n| count.add(start + Duration::from_millis(100) * n)).collect();
        assert_eq!(said, [1, 600, 600], "three minutes");
        assert_eq!(count.add(start + Duration::from_secs(600)), Some(600), "the rest, and one more");
        assert_eq!(count.total.load(Ordering::Relaxed), 1801);
    }

    #[test]
    fn every_reason_has_a_place_and_a_name_of_its_own() {
        let refused = Refused::default();
        for (index, error) in SignatureError::ALL.into_iter().enumerate() {
            assert_eq!(error as usize, index);
            for _ in 0..=index {
                refused.note(error);
            }
        }
        let totals: Vec<_> = refused.totals().collect();
        assert_eq!(totals, [("missing", 1), ("invalid", 2), ("issuer", 3), ("expired", 4)]);
    }
}
