//! Waits for a condition that can only be polled.

use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);

/// Polls until the condition holds; panics if that takes too long.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    let mut poll = tokio::time::interval(Duration::from_millis(10));
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        poll.tick().await;
    }
}
