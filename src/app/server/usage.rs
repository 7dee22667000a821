//! Since when a connection is unused. The time is counted in ticks, because a clock that is read at each byte would cost more than a
//! short request may.

use std::cell::Cell;
use std::time::Duration;

/// How long a connection may stay unused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long a client waits for the first byte of an answer before the connection ends: longer than any answer takes.
    pub(super) unanswered: Duration,
    /// How long no byte may be sent or received: longer than a stream is silent, and longer than a connection is kept.
    pub(super) silent: Duration,
    /// How long a connection is kept without a request behind the last answer.
    pub(super) kept: Duration,
}

/// The same in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    unanswered: u32,
    silent: u32,
    kept: u32,
}

/// A connection ends this part of [`Patience::unanswered`] late at most.
const LATE: u32 = 30;

impl Patience {
    /// The time between two ticks.
    pub(super) fn tick(&self) -> Duration {
        self.unanswered / LATE
    }

    /// The times in ticks.
    pub(super) fn ticks(&self) -> Ticks {
        let tick = self.tick().as_nanos().max(1);
        let ticks = |time: Duration| u32::try_from(time.as_nanos().div_ceil(tick)).unwrap_or(u32::MAX);
        Ticks { unanswered: LATE, silent: ticks(self.silent), kept: ticks(self.kept) }
    }
}

/// When a connection was used, as numbers of ticks.
#[derive(Default)]
pub(super) struct Usage {
    unanswered_since: Cell<Option<u32>>,
    last_byte: Cell<u32>,
    /// The last bytes were those of an answer.
    answered: Cell<bool>,
}

impl Usage {
    /// The client has connected, and has sent nothing so far.
    pub(super) fn begins(&self, now: u32) {
        self.last_byte.set(now);
    }

    /// The client has sent bytes.
    pub(super) fn has_read(&self, now: u32) {
        self.unanswered_since.set(self.unanswered_since.get().or(Some(now)));
        self.last_byte.set(now);
        self.answered.set(false);
    }

    /// The client has taken bytes.
    pub(super) fn has_written(&self, now: u32) {
        self.unanswered_since.set(None);
        self.last_byte.set(now);
        self.answered.set(true);
    }

    /// Whether a connection that serves no request was kept for long enough behind its last answer.
    pub(super) fn was_kept(&self, now: u32, ticks: Ticks) -> bool {
        self.answered.get() && now.wrapping_sub(self.last_byte.get()) > ticks.kept
    }

    /// Whether the connection must end. What happened within a tick may have happened at its end, so that one more tick must pass.
    pub(super) fn is_over(&self, now: u32, ticks: Ticks) -> bool {
        let beyond = |since: u32, most: u32| now.wrapping_sub(since) > most;
        beyond(self.last_byte.get(), ticks.silent)
            || self.unanswered_since.get().is_some_and(|since| beyond(since, ticks.unanswered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        unanswered: Duration::from_secs(30),
        silent: Duration::from_millis(89_500),
        kept: Duration::from_secs(10),
    };

    #[test]
    fn a_tick_is_a_second_and_a_part_of_one_counts_whole() {
        let Ticks { unanswered, silent, kept } = PATIENCE.ticks();
        assert_eq!((PATIENCE.tick(), unanswered, silent, kept), (Duration::from_secs(1), 30, 90, 10));
    }

    #[test]
    fn a_connection_ends_behind_either_time_and_never_before() {
        let (usage, ticks) = (Usage::default(), PATIENCE.ticks());
        let first_over = |from: u32| (from..).find(|now| usage.is_over(*now, ticks));
        usage.begins(7);
        assert_eq!(first_over(7), Some(7 + 91), "nothing was sent");
        usage.has_read(10);
        usage.has_read(20);
        assert_eq!(first_over(20), Some(10 + 31), "the first byte waits longest");
        usage.has_written(30);
        assert_eq!(first_over(30), Some(30 + 91), "all is answered");
    }

    #[test]
    fn a_connection_is_kept_only_behind_an_answer() {
        let (usage, ticks) = (Usage::default(), PATIENCE.ticks());
        let first_kept = |from: u32| (from..from + 99).find(|now| usage.was_kept(*now, ticks));
        usage.begins(7);
        assert_eq!(first_kept(7), None, "nothing was sent");
        usage.has_read(10);
        assert_eq!(first_kept(10), None, "nothing was answered");
        usage.has_written(20);
        usage.has_written(21);
        assert_eq!(first_kept(21), Some(21 + 11));
        usage.has_read(30);
        assert_eq!(first_kept(30), None, "there is another request");
    }
}
