//! The clock of the store.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::millis::Millis;

/// The time of day, which never goes back. If the clock of the system is set back, this clock runs on evenly. If the clock of the system
/// is ahead, this clock follows it at once: a machine without a battery starts with an old time until the network tells it the
/// present one, and while a machine sleeps or is paused, what measures durations stands still.
///
/// The clock of the system is read before the duration, so that what passes in between is never taken for a clock that was set forward.
pub(super) struct StoreClock {
    started: Instant,
    /// The time of day at the start in nanoseconds, as far as the clock of the system has told it.
    started_at: AtomicI64,
}

impl StoreClock {
    /// A clock that begins with the time of the system.
    pub(super) fn start() -> Self {
        let started_at = AtomicI64::new(nanos(system_time()));
        StoreClock { started: Instant::now(), started_at }
    }

    /// The present time.
    pub(super) fn now(&self) -> Millis {
        let system_time = system_time();
        self.at(self.started.elapsed(), system_time)
    }

    fn at(&self, elapsed: Duration, system_time: Duration) -> Millis {
        let elapsed = nanos(elapsed);
        let started_at = nanos(system_time) - elapsed;
        let started_at = self.started_at.fetch_max(started_at, Ordering::Relaxed).max(started_at);
        (started_at + elapsed) / NANOS_IN_A_MILLISECOND
    }
}

const NANOS_IN_A_MILLISECOND: i64 = 1_000_000;

/// The nanoseconds, which have room until the year 2262.
fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The time since 1970 by the clock of the system.
fn system_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times that the clock tells at these times since the start and of the system, in milliseconds.
    fn told(started_at: Millis, times: &[(u64, u64)]) -> Vec<Millis> {
        let started_at = AtomicI64::new(started_at * NANOS_IN_A_MILLISECOND);
        let clock = StoreClock { started: Instant::now(), started_at };
        let at = |(elapsed, system): &(u64, u64)| {
            clock.at(Duration::from_millis(*elapsed), Duration::from_millis(*system))
        };
        times.iter().map(at).collect()
    }

    #[test]
    fn a_system_clock_that_is_set_forward_is_followed() {
        assert_eq!(told(1000, &[(0, 1000), (5, 1005), (6, 9000), (16, 9010)]), [1000, 1005, 9000, 9010]);
    }

    #[test]
    fn a_system_clock_that_is_set_back_is_not_followed() {
        assert_eq!(told(1000, &[(5, 1005), (6, 0), (16, 10), (26, 1020)]), [1005, 1006, 1016, 1026]);
        assert_eq!(told(1000, &[(5, 9000), (6, 1006), (16, 1016)]), [9000, 9001, 9011]);
    }

    #[test]
    fn parts_of_a_millisecond_bring_the_clock_no_further() {
        let clock = StoreClock { started: Instant::now(), started_at: AtomicI64::new(1_000_600_000) };
        for micros in [0, 300, 399, 400, 401, 1_000, 1_399, 1_400, 2_000] {
            let (elapsed, system) =
                (Duration::from_micros(micros), Duration::from_micros(1_000_600 + micros));
            assert_eq!(u128::from(clock.at(elapsed, system).unsigned_abs()), system.as_millis(), "{micros}");
        }
    }
}
