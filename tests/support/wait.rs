//! Waiting for what can only be asked for again and again.

use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);

/// Polls until it is so; fails where that takes too long.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    let mut poll = tokio::time::interval(Duration::from_millis(10));
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        poll.tick().await;
    }
}
