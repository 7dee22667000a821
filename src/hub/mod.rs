//! The listeners in this process: the embedded mode needs no proxy.
//!
//! The latest event of a topic wins: a slow listener finds the newest event when it is ready, delays no other listener and
//! needs no queue. A topic without listeners costs only a look-up.
//!
//! Every worker thread has its own [`WorkerListeners`]. An event is stored with the topic's listeners of all workers at once, where a
//! listener that polls finds it; each worker's task then wakes its own listeners. To wake a task on another thread costs many times
//! what it costs on the same one, so a publish does that once for each worker, not once for each listener.

mod event;
mod listeners;
mod topic_listeners;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use listeners::{Listener, WorkerListeners};

use crate::domain::{EventId, Topic};
use event::EncodedEvent;

/// The listeners of this process.
#[derive(Debug, Default)]
pub struct Hub {
    workers: Mutex<Vec<Arc<WorkerListeners>>>,
}

impl Hub {
    /// Hands the encoded event to the topic's listeners. An event that is not newer than the last one is dropped.
    pub fn publish(&self, topic: &Topic, id: EventId, bytes: impl Into<Bytes>) {
        let event = EncodedEvent { id, bytes: bytes.into() };
        self.workers().iter().for_each(|worker| worker.publish(topic, &event));
    }

    /// A set for the listeners that the calling thread serves. Must be called within its tokio runtime.
    pub fn worker(&self) -> Arc<WorkerListeners> {
        let worker = WorkerListeners::start();
        self.workers().push(Arc::clone(&worker));
        worker
    }

    /// Ends every stream, and those that come later: the process is about to stop.
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
