//! The pause of requests to an API that has refused a request because there were too many.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The first pause, if the answer does not say how long to wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause, even if the answer asks for a longer one: an hour without purges would leave readers with old values for an
/// hour, and a request every half a minute is no load.
const LONGEST: Duration = Duration::from_secs(30);

/// A pause between requests. At the start there is none.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<PauseState>);

#[derive(Debug, Default)]
struct PauseState {
    until: Option<Instant>,
    /// How many refusals have come since the last success.
    refusals: u32,
}

impl Pause {
    /// How long the pause still lasts, during which no request may be sent.
    pub(super) fn left(&self) -> Option<Duration> {
        self.left_at(Instant::now())
    }

    /// Begins a pause, as the API has refused. `requested` is the time for which the API asks to wait, if the answer names one.
    pub(super) fn begin(&self, requested: Option<Duration>) {
        self.begin_at(Instant::now(), requested);
    }

    /// Records that the API has accepted a request. A pause goes on, as the request may have been sent before another was refused.
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

    fn begin_at(&self, now: Instant, requested: Option<Duration>) {
        let mut state = self.state();
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(state.refusals));
        state.refusals = state.refusals.saturating_add(1);
        // A requested time of zero does not count, as the clocks may differ.
        let wait = requested.filter(|requested| !requested.is_zero()).unwrap_or(doubled).min(LONGEST);
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
    fn a_requested_pause_lasts_at_most_half_a_minute() {
        let (pause, now) = (Pause::default(), Instant::now());
        assert_eq!(pause.left_at(now), None);
        pause.begin_at(now, Some(7 * SECOND));
        assert_eq!(pause.left_at(now + SECOND), Some(6 * SECOND));
        assert_eq!(pause.left_at(now + 7 * SECOND), None);
        pause.begin_at(now, Some(3600 * SECOND));
        assert_eq!(pause.left_at(now), Some(LONGEST));
    }

    #[test]
    fn without_a_retry_after_the_pause_doubles_until_a_success() {
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
