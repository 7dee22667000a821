//! The listeners of one process: in the embedded mode they replace a proxy.
//!
//! A listener that is too slow for one event gets the newest event when it polls next, so it delays no other listener and needs
//! no queue. An event of a topic without listeners costs no more than a look-up: the announcer asks before it encodes the event.
//!
//! A listener of a feed gets every event: each topic keeps a ring of the last ones, and a listener that has missed more reads the store.
//!
//! Every worker thread has its own [`WorkerListeners`]. A publish stores the event with the topic's listeners of all workers at
//! once, where a listener that polls finds the event. Then each worker's task wakes its own listeners. To wake a task on another
//! thread costs many times what it costs on the same thread, so a publish wakes one task for each worker, not each listener.

mod event;
mod feed_listener;
mod listeners;
mod ring;
mod topic_listeners;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use feed_listener::{FeedListener, FeedNews};
pub use listeners::{Listener, WorkerListeners};

use crate::domain::{EventId, Topic};
use event::EncodedEvent;
use ring::Link;

/// The listeners of this process.
#[derive(Debug, Default)]
pub struct Hub {
    workers: Mutex<Vec<Arc<WorkerListeners>>>,
}

impl Hub {
    /// Whether the topic has listeners. One that joins later reads the store after it has joined, so it needs no event that was claimed before.
    pub fn has_listeners(&self, topic: &Topic) -> bool {
        self.workers().iter().any(|worker| worker.has_listeners(topic))
    }

    /// Gives the encoded event to the topic's listeners. An event that is not newer than the topic's last event is dropped.
    pub fn publish(&self, topic: &Topic, id: EventId, bytes: impl Into<Bytes>) {
        let event = EncodedEvent { id, bytes: bytes.into() };
        self.workers().iter().for_each(|worker| worker.publish(topic, &event));
    }

    /// Gives encoded events to the listeners of a feed. The events follow on `prev`, and `id` is that of the last one.
    pub fn append(&self, feed: &Topic, prev: EventId, id: EventId, bytes: impl Into<Bytes>) {
        let link = Link { prev, id, bytes: bytes.into() };
        self.workers().iter().for_each(|worker| worker.append(feed, |_| link.clone()));
    }

    /// Gives encoded events to the listeners of a topic whose events have no order of their own.
    pub fn append_unchained(&self, topic: &Topic, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let behind = |last: EventId| EventId { revision: last.revision + 1, ..last };
        let link = |last| Link { prev: last, id: behind(last), bytes: bytes.clone() };
        self.workers().iter().for_each(|worker| worker.append(topic, link));
    }

    /// A new set for the listeners that the calling thread serves. Callers must be within the thread's tokio runtime.
    pub fn worker(&self) -> Arc<WorkerListeners> {
        let worker = WorkerListeners::start();
        self.workers().push(Arc::clone(&worker));
        worker
    }

    /// Ends every stream and takes no further listeners, as the process is about to stop.
    pub fn close(&self) {
        self.workers().iter().for_each(|worker| worker.close());
    }

    /// How many listeners there are.
    pub fn listeners(&self) -> usize {
        self.workers().iter().map(|worker| worker.listeners()).sum()
    }

    fn workers(&self) -> MutexGuard<'_, Vec<Arc<WorkerListeners>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
