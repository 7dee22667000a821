//! In-process listeners: the embedded mode's stand-in for a proxy.
//!
//! The latest event of a topic wins: a reader too slow for one event finds the newest when it is ready, delays nobody
//! and costs no queue. A topic without listeners costs no more than a look-up.
//!
//! Every worker has a [`Branch`] with the listeners that it serves. An event is put into the rooms of all branches at
//! once, where who looks finds it; waking the listeners is left to their own worker. A waking that crosses threads
//! costs many times one that does not, and so there is one for each worker and not one for each listener.

mod branch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use branch::{Branch, Listener};

use crate::domain::{EventId, Topic};

/// The listeners of this process.
#[derive(Debug, Default)]
pub struct Hub {
    branches: Mutex<Vec<Arc<Branch>>>,
}

/// An event as listeners get it: encoded once, shared by all of them.
#[derive(Clone, Debug)]
struct Event {
    id: EventId,
    bytes: Bytes,
}

impl Hub {
    /// Hands the encoded event to the topic's listeners. An event that is not newer than the last one is dropped.
    pub fn publish(&self, topic: &Topic, id: EventId, bytes: impl Into<Bytes>) {
        let event = Event { id, bytes: bytes.into() };
        self.branches().iter().for_each(|branch| branch.publish(topic, &event));
    }

    /// A new branch, for the listeners that the calling thread serves. Must be called within its tokio runtime.
    pub fn branch(&self) -> Arc<Branch> {
        let branch = Branch::start();
        self.branches().push(Arc::clone(&branch));
        branch
    }

    /// Ends every stream, and those that come later: the process is about to stop.
    pub fn close(&self) {
        self.branches().iter().for_each(|branch| branch.close());
    }

    /// How many listeners there are.
    pub fn listeners(&self) -> usize {
        self.branches().iter().map(|branch| branch.listeners()).sum()
    }

    fn branches(&self) -> MutexGuard<'_, Vec<Arc<Branch>>> {
        self.branches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
