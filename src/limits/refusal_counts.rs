//! Counts refused requests by reason; `/metrics` shows the counts to operators.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
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
    /// The request has no key or ticket that covers what it needs.
    Access,
}

/// All reasons with their names in `/metrics`. The order is that of the enum, because a reason is the index of its count.
const REASONS: [(RefusalReason, &str); 6] = [
    (RefusalReason::Writes, "writes"),
    (RefusalReason::NewTopics, "new_topics"),
    (RefusalReason::Topics, "topics"),
    (RefusalReason::Amount, "amount"),
    (RefusalReason::Streams, "streams"),
    (RefusalReason::Access, "access"),
];

/// The number of refused requests, by reason.
#[derive(Debug, Default)]
pub struct RefusalCounts([AtomicU64; REASONS.len()]);

impl RefusalCounts {
    /// Counts one refused request.
    pub fn record(&self, reason: RefusalReason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The name of every reason with the number of requests refused for it.
    pub fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let total =
            |(reason, name): (RefusalReason, _)| (name, self.0[reason as usize].load(Ordering::Relaxed));
        REASONS.into_iter().map(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_under_its_own_name() {
        for (at, (reason, name)) in REASONS.into_iter().enumerate() {
            let refusals = RefusalCounts::default();
            refusals.record(reason);
            refusals.record(reason);
            let counted: Vec<_> = refusals.totals().filter(|(_, total)| *total > 0).collect();
            assert_eq!(counted, [(name, 2)]);
            assert_eq!(reason as usize, at);
        }
    }
}
