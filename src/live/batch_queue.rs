//! The calls that wait for the next batch, and the workers that take the batches.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::StoreError;

/// How many batches of one kind may be under way at the same time. With one only, no batch could be prepared while the store
/// works on it.
const BATCHES_UNDER_WAY: usize = 3;
/// How many topics must wait before another batch is sent beside one that is under way: with fewer topics, another round trip
/// costs more than the wait for the next batch. Further amounts for a topic that waits already cost nothing.
const WORTH_A_BATCH: usize = 12;
/// How often a worker looks, at most, whether further calls have come in before it takes a batch. Each look takes as long as the
/// calls that come in meanwhile, so this bounds how long the calls of a busy worker wait for others.
const LOOKS: usize = 8;
/// With so many calls, a batch is taken without a further look: a larger one saves nothing.
const ENOUGH: usize = 256;

/// The calls that wait for the next batch, and the number of tasks (workers) that take batches from this queue.
#[derive(Default)]
pub(super) struct BatchQueue<T> {
    pub(super) waiting: T,
    /// How many calls have been put into the queue since a worker has taken a batch.
    calls: usize,
    workers: usize,
}

impl<T: Waiting> BatchQueue<T> {
    /// Counts a call that was put into the queue. Returns whether one more worker is needed for the calls that wait. If so, the
    /// worker is counted, and the caller must start it.
    pub(super) fn count_call(&mut self) -> bool {
        self.calls += 1;
        let worth = self.workers == 0 || self.waiting.len() >= WORTH_A_BATCH;
        let needed = worth && self.workers < BATCHES_UNDER_WAY;
        self.workers += usize::from(needed);
        needed
    }
}

/// Frees its worker's place on drop, even after a panic, so that no caller waits for a task that has ended.
pub(super) struct WorkerGuard<'a, T> {
    queue: &'a Mutex<BatchQueue<T>>,
    has_ended: bool,
}

impl<'a, T: Waiting> WorkerGuard<'a, T> {
    /// A guard for a worker that is counted in `queue`.
    pub(super) fn on(queue: &'a Mutex<BatchQueue<T>>) -> Self {
        WorkerGuard { queue, has_ended: false }
    }

    /// Looks whether further calls come in, [`LOOKS`] times at most: two small batches cost the store and this process more
    /// than one large batch. The runtime goes on with this task when no other task of the thread is ready and it has looked for
    /// new bytes on all connections. So a call that comes alone only waits for one such look.
    async fn gather(&self) {
        let mut calls = lock(self.queue).calls;
        for _ in 0..LOOKS {
            // A worker whose batch was the last one ends without a look.
            if calls == 0 || calls >= ENOUGH {
                break;
            }
            tokio::task::yield_now().await;
            let known = std::mem::replace(&mut calls, lock(self.queue).calls);
            if calls == known {
                break;
            }
        }
    }

    /// Waits until no further call comes in, then takes all calls that wait. If no call waits, the worker ends under the same lock,
    /// so that the next caller starts another.
    pub(super) async fn next(&mut self) -> Option<T> {
        self.gather().await;
        let mut queue = lock(self.queue);
        let topics = queue.waiting.len();
        if topics == 0 {
            queue.workers -= 1;
            self.has_ended = true;
            return None;
        }
        queue.calls = 0;
        Some(std::mem::replace(&mut queue.waiting, T::with_capacity(topics)))
    }
}

impl<T> Drop for WorkerGuard<'_, T> {
    fn drop(&mut self) {
        if !self.has_ended {
            lock(self.queue).workers -= 1;
        }
    }
}

/// The calls of one kind that wait for a batch.
pub(super) trait Waiting {
    /// No calls, with room for calls for so many topics: the next batch probably has as many as this one, and a map that grows
    /// hashes all of its topics again.
    fn with_capacity(topics: usize) -> Self;

    /// The number of topics.
    fn len(&self) -> usize;
}

/// Locks a queue, also after a panic.
pub(super) fn lock<T>(queue: &Mutex<T>) -> MutexGuard<'_, T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error of a call if its batch ended without an answer: the runtime has dropped the task, for instance as the worker stops.
pub(super) fn abandoned() -> StoreError {
    StoreError::new("the request was abandoned while the worker stopped")
}
