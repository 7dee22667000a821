//! The announcer: what has changed is claimed, purged from the cache, published, acknowledged.
//!
//! At once for a quiet topic; for a busy one at most once per interval over all origins, since the store's gate decides
//! who may; always ending with the last value. Whoever dies in between leaves a mark in the store's outbox, which any
//! origin's sweep takes up: so an acknowledged increment is always announced. Memory is bounded by the number of
//! topics that have changed.
//!
//! Knows the store, the purger, the publisher and the hub; nothing of HTTP.

mod handle;
mod newest;
mod outage;
mod outlets;
mod pending_topics;
mod ready;
mod round;
mod stats;
mod task;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::store::{ClaimTerms, Store};
pub use handle::Announcer;
use handle::LEASE;
pub use outlets::Outlets;
use round::Round;
pub use stats::Stats;
use task::AnnouncerTask;

/// The running announcer. Dropping it ends it where it stands; what it had claimed is taken up by a later sweep.
pub struct Running {
    announcer: Announcer,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Announcer {
    /// Starts announcing on the current runtime: at most one announcement per topic and `interval`; a zero interval
    /// announces every value.
    pub fn start(store: Arc<dyn Store>, outlets: Outlets, interval: Duration) -> Running {
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

    /// Announces what is pending, then ends. Returns whether everything was done within `patience`; what was not is
    /// taken up by other origins, or after the next start.
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
