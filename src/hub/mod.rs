//! The listeners of one process: in the embedded mode they replace a proxy.
//!
//! A listener that is too slow for one event gets the newest event when it polls next, so it delays no other listener and needs
//! no queue. An event of a topic without listeners costs no more than a look-up.
//!
//! Every worker thread has its own [`WorkerListeners`]. A publish stores the event with the topic's listeners of all workers at
//! once, where a listener that polls finds the event. Then each worker's task wakes its own listeners. To wake a task on another
//! thread costs many times what it costs on the same thread, so a publish wakes one task for each worker, not each listener.

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
    /// Gives the encoded event to the topic's listeners. An event that is not newer than the topic's last event is dropped.
    pub fn publish(&self, topic: &Topic, id: EventId, bytes: impl Into<Bytes>) {
        let event = EncodedEvent { id, bytes: bytes.into() };
        self.workers().iter().for_each(|worker| worker.publish(topic, &event));
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
