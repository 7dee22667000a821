//! Waits for a condition that can only be polled.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const HOUR: Duration = Duration::from_secs(3600);
/// Longer than any test takes for what must happen on one day.
const IN_ONE_HOUR: Duration = Duration::from_secs(30);
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

/// Waits for the end of the hour if it is near, so that what follows happens in one hour: no day ends meanwhile, in UTC or New York.
pub async fn until_an_hour_has_time() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let left = HOUR - Duration::from_secs(now.as_secs() % HOUR.as_secs());
    if left < IN_ONE_HOUR {
        tokio::time::sleep(left).await;
    }
}
