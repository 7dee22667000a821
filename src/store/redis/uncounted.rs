//! The topics of a Cluster that could not be counted yet.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::Topic;

/// The topics that could not be counted, to be tried again.
#[derive(Default)]
pub(super) struct Uncounted(Mutex<Vec<Topic>>);

/// How many topics wait at most. The others are counted with their next claim.
const MOST: usize = 10_000;

impl Uncounted {
    /// Takes out all topics that wait.
    pub(super) fn take(&self) -> Vec<Topic> {
        std::mem::take(&mut self.lock())
    }

    /// Lets these topics wait, as far as there is room.
    pub(super) fn add(&self, topics: &[Topic]) {
        let mut waiting = self.lock();
        let room = MOST.saturating_sub(waiting.len());
        waiting.extend(topics.iter().take(room).cloned());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Topic>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
