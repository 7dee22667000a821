//! Removes topics that have not changed for long, while origins are running.

use std::time::Duration;

use redis::RedisResult;

use super::batch::count_topics_by;
use super::runner::ScriptRunner;
use super::script;
use super::topics::Walk;
use crate::domain::Topic;
use crate::store::Pruned;

/// The pause between two steps. Each step takes Redis about a millisecond.
const STEP_PAUSE: Duration = Duration::from_millis(3);

/// See [`RedisStore::prune`](super::RedisStore::prune).
pub(super) async fn prune(
    runner: &ScriptRunner,
    before: u64,
    remove: bool,
    progress: &mut impl FnMut(Pruned),
) -> RedisResult<Pruned> {
    let (before, mut pruned) = (before.to_string(), Pruned::default());
    let arguments = [before.as_str(), if remove { "1" } else { "0" }];
    let mut walk = Walk::start(runner).await?;
    while let Some(mut topics) = walk.next().await? {
        topics.retain(|topic| !Topic::names_import(topic.name()));
        pruned.seen += topics.len() as u64;
        pruned.old += count_topics_by(runner, &script::PRUNE, &topics, &arguments).await?;
        progress(pruned);
        tokio::time::sleep(STEP_PAUSE).await;
    }
    Ok(pruned)
}
