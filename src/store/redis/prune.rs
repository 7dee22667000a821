//! Removing topics that nobody has changed for long, beside running origins.

use std::time::Duration;

use redis::RedisResult;

use super::{RedisStore, script};
use crate::store::{Pruned, StoreError};

/// Between two steps, of about a millisecond each.
const STEP_PAUSE: Duration = Duration::from_millis(3);

impl RedisStore {
    /// Counts the topics that have not been claimed since `before` (in milliseconds since 1970) and of which nothing is left
    /// to announce; with `remove`, removes them. Each topic is looked at and removed in one atomic step.
    pub async fn prune(
        &self,
        before: u64,
        remove: bool,
        mut progress: impl FnMut(Pruned),
    ) -> Result<Pruned, StoreError> {
        // Before that, not every topic has a time.
        self.migrate().await?;
        self.prune_all(before, remove, &mut progress).await.map_err(StoreError::new)
    }

    async fn prune_all(
        &self,
        before: u64,
        remove: bool,
        progress: &mut impl FnMut(Pruned),
    ) -> RedisResult<Pruned> {
        let (before, mut pruned) = (before.to_string(), Pruned::default());
        let arguments = [before.as_str(), if remove { "1" } else { "0" }];
        let mut walk = self.walk().await?;
        while let Some(topics) = walk.next().await? {
            pruned.seen += topics.len() as u64;
            pruned.old += self.count_of(&script::PRUNE, &topics, &arguments).await?;
            progress(pruned);
            tokio::time::sleep(STEP_PAUSE).await;
        }
        Ok(pruned)
    }
}
