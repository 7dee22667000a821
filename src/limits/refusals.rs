//! How many requests were refused, for operators.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The client writes faster than `limits.writes`.
    Writes,
    /// The client makes new topics faster than `limits.new_topics`.
    NewTopics,
    /// There are as many topics as `limits.topics` allows.
    Topics,
    /// The amount is outside `access.amounts`.
    Amount,
    /// The client has as many streams as `limits.streams` allows.
    Streams,
}

/// All reasons with their names in `/metrics`, in the order of the enum.
const REASONS: [(Refusal, &str); 5] = [
    (Refusal::Writes, "writes"),
    (Refusal::NewTopics, "new_topics"),
    (Refusal::Topics, "topics"),
    (Refusal::Amount, "amount"),
    (Refusal::Streams, "streams"),
];

/// The number of refused requests, by reason.
#[derive(Debug, Default)]
pub struct Refusals([AtomicU64; REASONS.len()]);

impl Refusals {
    /// Counts one refused request.
    pub fn add(&self, reason: Refusal) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every reason, with how often it was met.
    pub fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let total = |(reason, name): (Refusal, _)| (name, self.0[reason as usize].load(Ordering::Relaxed));
        REASONS.into_iter().map(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_under_its_own_name() {
        for (at, (reason, name)) in REASONS.into_iter().enumerate() {
            let refusals = Refusals::default();
            refusals.add(reason);
            refusals.add(reason);
            let counted: Vec<_> = refusals.totals().filter(|(_, total)| *total > 0).collect();
            assert_eq!(counted, [(name, 2)]);
            assert_eq!(reason as usize, at);
        }
    }
}
