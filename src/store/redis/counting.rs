//! Counts topics that a Cluster has created or deleted: see `counting_later.lua`.

use std::sync::{Mutex, PoisonError};

use super::batch::{CHUNK, count_topics_by};
use super::runner::ScriptRunner;
use super::script;
use crate::domain::Topic;

/// The topics that could not be counted, to be tried again.
#[derive(Default)]
pub(super) struct Uncounted(Mutex<Vec<Topic>>);

/// How many topics wait at most. The others are counted with their next claim.
const MOST: usize = 10_000;

impl Uncounted {
    /// Counts these topics, and those that wait since an earlier attempt. The caller's change is done, so a failure is not an error:
    /// the topics wait.
    pub(super) async fn settle(&self, runner: &ScriptRunner, mut topics: Vec<Topic>) {
        topics.append(&mut self.lock());
        for chunk in topics.chunks(CHUNK) {
            if let Err(error) = count_topics_by(runner, &script::COUNT, chunk, &[]).await {
                tracing::debug!("{} topics could not be counted yet: {error}", chunk.len());
                let mut waiting = self.lock();
                let room = MOST.saturating_sub(waiting.len());
                waiting.extend(chunk.iter().take(room).cloned());
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Topic>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
