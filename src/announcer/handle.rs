//! The handle of the announcer, by which topics reach its task.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::pending_topics::{PendingTopics, Precedence};
use super::stats::Stats;
use crate::domain::Topic;
use crate::store::Announcement;

/// How long a claim may stay unacknowledged before a sweep finds its topic: longer than a delivery with its second purge takes
/// without faults. Topics that a killed origin had claimed wait for so long.
pub(super) const LEASE: Duration = Duration::from_secs(6);

/// The handle by which other parts of the program reach the announcer. Cheap to clone.
#[derive(Clone)]
pub struct Announcer(Arc<AnnouncerState>);

struct AnnouncerState {
    interval: Duration,
    pending_topics: Mutex<PendingTopics>,
    wake: Notify,
    stats: Arc<Stats>,
}

impl Announcer {
    pub(super) fn new(interval: Duration) -> Self {
        let (pending_topics, wake, stats) = (Mutex::default(), Notify::new(), Arc::default());
        Announcer(Arc::new(AnnouncerState { interval, pending_topics, wake, stats }))
    }

    /// Tells the announcer that topics have changed in the store. Returns at once. A topic that is pending already costs only a
    /// look-up.
    pub fn changed(&self, topics: Vec<Topic>) {
        self.note(topics, Precedence::Known);
    }

    /// The same for topics that a change has created: topics that existed before are announced first.
    pub fn created(&self, topics: Vec<Topic>) {
        self.note(topics, Precedence::New);
    }

    fn note(&self, topics: Vec<Topic>, precedence: Precedence) {
        if topics.is_empty() {
            return;
        }
        let mut pending_topics = self.pending_topics();
        let mut wake = false;
        for topic in topics {
            wake |= pending_topics.changed(topic, precedence);
        }
        drop(pending_topics);
        if wake {
            self.0.wake.notify_one();
        }
    }

    /// The same for topics that a sweep has found. Topics that are pending already stay as they are.
    pub(super) fn swept(&self, topics: Vec<Topic>) {
        let unknown = {
            let pending_topics = self.pending_topics();
            topics.into_iter().filter(|topic| !pending_topics.knows(topic)).collect()
        };
        self.note(unknown, Precedence::Left);
    }

    /// Announces the claims that an addition has made (see [`Announcer::claim_at_once`]), in this order.
    pub fn announce(&self, topic: Topic, announcements: Vec<Announcement>) {
        self.pending_topics().claimed.push((topic, announcements));
        self.0.wake.notify_one();
    }

    /// The lease with which additions must claim in their own step, if every value must be announced; otherwise `None`.
    pub fn claim_at_once(&self) -> Option<Duration> {
        self.0.interval.is_zero().then_some(LEASE)
    }

    /// The counts so far.
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    /// The counts, for the round that increases them.
    pub(super) fn shared_stats(&self) -> Arc<Stats> {
        Arc::clone(&self.0.stats)
    }

    /// Resolves when a topic has become ready while none was.
    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// The number of topics that are pending, including those that wait for their gate.
    pub fn pending(&self) -> usize {
        self.pending_topics().len()
    }

    pub(super) fn pending_topics(&self) -> MutexGuard<'_, PendingTopics> {
        self.0.pending_topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
