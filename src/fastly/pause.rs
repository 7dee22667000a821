//! How long an API that has refused for there being too many requests is left alone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The first pause where the answer names none.
const FIRST: Duration = Duration::from_secs(1);
/// No pause is longer, whatever the answer says: an hour without purges would leave readers with old values for an hour,
/// and a request every half a minute is no load.
const LONGEST: Duration = Duration::from_secs(30);

/// A pause between requests; none at first.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<PauseState>);

#[derive(Debug, Default)]
struct PauseState {
    until: Option<Instant>,
    /// Refusals in a row.
    refusals: u32,
}

impl Pause {
    /// For how much longer nothing should be sent.
    pub(super) fn left(&self) -> Option<Duration> {
        self.left_at(Instant::now())
    }

    /// The API has refused, and says how long to wait, or not.
    pub(super) fn begin(&self, wish: Option<Duration>) {
        self.begin_at(Instant::now(), wish);
    }

    /// The API has answered well. A pause goes on: the request may have been sent before the refusal of another.
    pub(super) fn end(&self) {
        self.end_at(Instant::now());
    }

    fn left_at(&self, now: Instant) -> Option<Duration> {
        let left = self.state().until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    fn end_at(&self, now: Instant) {
        if self.left_at(now).is_none() {
            *self.state() = PauseState::default();
        }
    }

    fn begin_at(&self, now: Instant, wish: Option<Duration>) {
        let mut state = self.state();
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(state.refusals));
        state.refusals = state.refusals.saturating_add(1);
        // A wish of nothing is none: the clocks may differ.
        let wait = wish.filter(|wish| !wish.is_zero()).unwrap_or(doubled).min(LONGEST);
        state.until = Some(now + wait);
    }

    fn state(&self) -> MutexGuard<'_, PauseState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_wish_is_granted_up_to_half_a_minute() {
        let (pause, now) = (Pause::default(), Instant::now());
        assert_eq!(pause.left_at(now), None);
        pause.begin_at(now, Some(7 * SECOND));
        assert_eq!(pause.left_at(now + SECOND), Some(6 * SECOND));
        assert_eq!(pause.left_at(now + 7 * SECOND), None);
        pause.begin_at(now, Some(3600 * SECOND));
        assert_eq!(pause.left_at(now), Some(LONGEST));
    }

    #[test]
    fn without_a_wish_it_doubles_until_all_is_well() {
        let (pause, now) = (Pause::default(), Instant::now());
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            pause.begin_at(now, None);
            assert_eq!(pause.left_at(now), Some(seconds * SECOND));
        }
        for _ in 0..40 {
            pause.begin_at(now, Some(Duration::ZERO));
        }
        pause.end_at(now);
        assert_eq!(pause.left_at(now), Some(LONGEST), "not by an answer from before");
        pause.end_at(now + LONGEST);
        pause.begin_at(now, None);
        assert_eq!(pause.left_at(now), Some(SECOND));
    }
}
