//! Waits for a condition that can only be polled.

use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Polls until the condition holds; panics if that takes too long.
pub async fn until(what: &str, is_so: impl AsyncFnMut() -> bool) {
    until_within(SOON, what, is_so).await;
}

/// The same with another deadline. A check that takes long is made less often, so that the service gets most of the machine's time.
pub async fn until_within(patience: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + patience;
    let mut begun = Instant::now();
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(PAUSE.max(3 * begun.elapsed())).await;
        begun = Instant::now();
    }
}
