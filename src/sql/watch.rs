//! When a statement has to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::SqlError;

/// Tells a statement that runs on another thread when to stop.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    time: Duration,
    ends: Instant,
    abandoned: Arc<AtomicBool>,
}

impl Watch {
    /// A statement may run for this long from now on.
    pub(super) fn new(time: Duration) -> Self {
        Watch { time, ends: Instant::now() + time, abandoned: Arc::default() }
    }

    /// Gives the statement time again for which the tables were read.
    pub(super) fn pause_ended(&mut self, paused: Duration) {
        self.ends += paused;
    }

    /// Whether the statement has to stop.
    pub(super) fn is_over(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) || Instant::now() >= self.ends
    }

    /// Why the statement had to stop.
    pub(super) fn error(&self) -> SqlError {
        if self.abandoned.load(Ordering::Relaxed) {
            SqlError::Abandoned
        } else {
            SqlError::OutOfTime(self.time)
        }
    }

    /// A guard whose drop stops the statement.
    pub(super) fn stop_on_drop(&self) -> StopOnDrop {
        StopOnDrop(Arc::clone(&self.abandoned))
    }
}

/// Stops a statement when its caller does not wait any more.
pub(super) struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
