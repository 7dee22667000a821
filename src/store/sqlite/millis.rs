//! Times and durations as the file keeps them.

use std::time::Duration;

/// Milliseconds since 1970, by the store's clock.
pub(super) type Millis = i64;

/// A duration in milliseconds.
pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX / 2)
}
