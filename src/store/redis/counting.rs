//! Counts topics that a Cluster has created or deleted: see `counting_later.lua`.

use super::batch::{CHUNK, count_topics_by};
use super::runner::ScriptRunner;
use super::script;
use crate::domain::Topic;

/// Counts these topics, and those that wait since an earlier attempt, unless no topics are given. The caller's change is done, so a
/// failure is not an error: the topics wait.
pub(super) async fn count(runner: &ScriptRunner, mut topics: Vec<Topic>) {
    if !topics.is_empty() {
        topics.append(&mut runner.uncounted.take());
        try_to_count(runner, &topics).await;
    }
}

/// Counts the topics that wait since an earlier attempt.
pub(super) async fn count_waiting(runner: &ScriptRunner) {
    try_to_count(runner, &runner.uncounted.take()).await;
}

async fn try_to_count(runner: &ScriptRunner, topics: &[Topic]) {
    for chunk in topics.chunks(CHUNK) {
        if let Err(error) = count_topics_by(runner, &script::COUNT, chunk, &[]).await {
            tracing::debug!("{} topics could not be counted yet: {error}", chunk.len());
            runner.uncounted.add(chunk);
        }
    }
}
