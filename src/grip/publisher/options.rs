//! How a publisher works.

use std::time::Duration;

/// How a [`Publisher`](crate::grip::Publisher) works.
#[derive(Clone, Debug)]
pub struct PublisherOptions {
    /// While an endpoint is busy or down, keep only the newest item of each channel for it. Without, it gets every one.
    pub merge: bool,
    /// How long [`Publisher::publish`](crate::grip::Publisher::publish) waits for every endpoint. What is pending then is still delivered if possible.
    pub give_up: Duration,
    /// How many items wait for one endpoint at most; then the oldest is let go.
    pub max_pending: usize,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        PublisherOptions { merge: true, give_up: Duration::from_secs(4), max_pending: 50_000 }
    }
}
