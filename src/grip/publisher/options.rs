//! The options of a publisher.

use std::time::Duration;

/// The options of a [`Publisher`](crate::grip::Publisher).
#[derive(Clone, Debug)]
pub struct PublisherOptions {
    /// Whether only the newest item of each channel is kept for an endpoint that is busy or down. Otherwise the endpoint gets all.
    pub merge: bool,
    /// How long [`Publisher::publish`](crate::grip::Publisher::publish) waits for every endpoint. Items that are pending then are
    /// still delivered if possible.
    pub give_up: Duration,
    /// The most items that wait for one endpoint. Beyond it, the oldest is dropped.
    pub max_pending: usize,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        PublisherOptions { merge: true, give_up: Duration::from_secs(4), max_pending: 50_000 }
    }
}
