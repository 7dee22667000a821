//! Counts refused signatures by reason, and bounds their log lines: a client that reaches an origin can send any number of bad
//! signatures.

use std::time::Duration;

use super::SignatureError;
use crate::log::Throttle;

/// Each reason has at most one log line in this time. The line has the number of refusals since the last one.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// The counts of refused signatures since the start.
#[derive(Debug)]
pub struct Refused {
    counts: [Throttle; SignatureError::ALL.len()],
}

impl Default for Refused {
    fn default() -> Self {
        Refused { counts: SignatureError::ALL.map(|_| Throttle::new(LINE_EVERY)) }
    }
}

impl Refused {
    /// The number of refusals for each reason, by the reason's short name.
    pub fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        SignatureError::ALL.iter().zip(&self.counts).map(|(error, count)| (error.name(), count.total()))
    }

    pub(super) fn note(&self, error: SignatureError) {
        if let Some(count) = self.counts[error as usize].record() {
            let reason = error.name();
            tracing::warn!(
                reason,
                count,
                "{error}; {count} refused since this was said last, and nothing more for a minute"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(totals, [("missing", 1), ("invalid", 2), ("issuer", 3), ("early", 4), ("expired", 5)]);
    }
}
