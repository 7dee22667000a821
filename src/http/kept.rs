//! Keeps answers for which the store has to read much.

use std::time::{Duration, Instant};

use crate::store::StoreError;

/// How long an answer is kept at least.
const LEAST: Duration = Duration::from_secs(1);
/// An answer is kept for this many times as long as the store took for it: so it takes a twentieth of the store's time at most.
const SHARE: u32 = 20;

/// An answer of the store that is kept for a while.
pub(super) struct Kept<T> {
    /// The answer.
    pub(super) answer: T,
    fresh_until: Instant,
}

impl<T> Kept<T> {
    /// Waits for the answer.
    pub(super) async fn read(
        reading: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Kept<T>, StoreError> {
        let asked = Instant::now();
        let answer = reading.await?;
        Ok(Kept { answer, fresh_until: Instant::now() + LEAST.max(SHARE * asked.elapsed()) })
    }

    /// Whether the answer may still be used.
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }
}
