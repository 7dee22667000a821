//! The announcer: claims changed topics, purges them from the cache, publishes and acknowledges them.
//!
//! A topic that changes rarely is announced at once; one that changes often at most once per interval over all origins, since
//! the store's gate lets one claim through. The last value is always announced. If an origin ends before it has acknowledged, the
//! mark stays in the store's outbox and the sweep of another origin finds it: so an acknowledged addition is always announced.
//! The number of changed topics bounds the memory.
//!
//! This module uses the store, the purger, the publisher and the hub, and does not know HTTP.

mod feed_items;
mod handle;
mod newest;
mod outage;
mod outlets;
mod pending_topics;
mod ready;
mod round;
mod stats;
mod stream_checks;
mod task;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::store::{ClaimTerms, Outbox};
pub use handle::Announcer;
use handle::LEASE;
pub use outlets::Outlets;
use round::Round;
pub use stats::Stats;
use task::AnnouncerTask;

/// The running announcer. If it is dropped, it ends at once, and a later sweep finds the topics that it had claimed.
pub struct Running {
    announcer: Announcer,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Announcer {
    /// Starts announcing on the current runtime: at most one announcement per topic and `interval`; a zero interval
    /// announces every value.
    pub fn start(store: Arc<dyn Outbox>, outlets: Outlets, interval: Duration) -> Running {
        let announcer = Announcer::new(interval);
        let (closing, closed) = watch::channel(false);
        let terms = ClaimTerms { interval, lease: LEASE };
        let round = Round::new(store, outlets, terms, announcer.shared_stats());
        let task = tokio::spawn(AnnouncerTask::new(announcer.clone(), round, closed).run());
        Running { announcer, closing, task }
    }
}

impl Running {
    /// The handle.
    pub fn announcer(&self) -> &Announcer {
        &self.announcer
    }

    /// Announces the pending topics, then ends. Returns whether all were announced within `patience`. Other origins announce the
    /// rest, or this one after its next start.
    pub async fn drain(mut self, patience: Duration) -> bool {
        self.closing.send_replace(true);
        let ended = tokio::time::timeout(patience, &mut self.task).await.is_ok_and(|ended| ended.is_ok());
        ended && self.announcer.stats().failing_for().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
