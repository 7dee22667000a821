//! The clock of the store.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::millis::{Millis, millis};

/// The time of day, which never goes back. If the clock of the system is set back, this clock runs on evenly. If the clock of the system
/// is ahead, this clock follows it at once: a machine without a battery starts with an old time until the network tells it the
/// present one, and while a machine sleeps or is paused, what measures durations stands still.
pub(super) struct StoreClock {
    started: Instant,
    /// The time of day at the start, as far as the clock of the system has told it.
    started_at: AtomicI64,
}

impl StoreClock {
    /// A clock that begins with the time of the system.
    pub(super) fn start() -> Self {
        StoreClock { started: Instant::now(), started_at: AtomicI64::new(millis(system_time())) }
    }

    /// The present time.
    pub(super) fn now(&self) -> Millis {
        self.at(self.started.elapsed(), system_time())
    }

    fn at(&self, elapsed: Duration, system_time: Duration) -> Millis {
        let elapsed = millis(elapsed);
        let started_at = millis(system_time) - elapsed;
        self.started_at.fetch_max(started_at, Ordering::Relaxed).max(started_at) + elapsed
    }
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
        let clock = StoreClock { started: Instant::now(), started_at: AtomicI64::new(started_at) };
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
}
