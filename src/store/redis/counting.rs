//! Counts topics that a Cluster has created or deleted: see `counting_later.lua`.

use super::batch::{CHUNK, count_topics_by};
use super::runner::ScriptRunner;
use super::script;
use crate::domain::Topic;

/// Counts these topics, and those that wait since an earlier attempt. The caller's change is done, so a failure is not an error:
/// the topics wait.
pub(super) async fn count(runner: &ScriptRunner, mut topics: Vec<Topic>) {
    topics.append(&mut runner.uncounted.take());
    for chunk in topics.chunks(CHUNK) {
        if let Err(error) = count_topics_by(runner, &script::COUNT, chunk, &[]).await {
            tracing::debug!("{} topics could not be counted yet: {error}", chunk.len());
            runner.uncounted.add(chunk);
        }
    }
}
