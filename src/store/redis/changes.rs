//! Sends changes of entities and feeds: one call of a script for all changes of a batch, and a second call for those with an idempotency
//! key if the connection breaks before the answer.

use futures_util::future::join_all;
use redis::RedisResult;

use super::runner::ScriptRunner;
use super::{batch, script};
use crate::domain::Topic;
use crate::store::{WriteError, Written};

/// A change on its way to Redis.
pub(super) trait OutgoingChange: Copy {
    /// The most changes in one call of the script.
    const CHUNK: usize;

    fn topic(&self) -> &Topic;

    /// Whether the change has an idempotency key.
    fn has_key(&self) -> bool;

    /// Sends changes in one call of the script; the answers are in their order.
    fn send(
        runner: &ScriptRunner,
        changes: &[Self],
    ) -> impl Future<Output = RedisResult<Vec<Result<Written, WriteError>>>> + Send;
}

/// Changes topics; the answers are in the order of `changes`. In a Cluster the buckets are asked at the same time.
pub(super) async fn write<C: OutgoingChange>(
    runner: &ScriptRunner,
    changes: &[C],
) -> Vec<Result<Written, WriteError>> {
    let groups = runner.topology.groups(changes.iter().map(C::topic));
    let answers = join_all(groups.iter().map(|group| write_group(runner, changes, group))).await;
    batch::ungroup(&groups, answers)
}

/// Applies the changes of `group`, all of which one call may touch; the answers are in the order of the group.
async fn write_group<C: OutgoingChange>(
    runner: &ScriptRunner,
    changes: &[C],
    group: &[usize],
) -> Vec<Result<Written, WriteError>> {
    let mut answers = Vec::with_capacity(group.len());
    for chunk in group.chunks(C::CHUNK) {
        let chunk: Vec<C> = chunk.iter().map(|&index| changes[index]).collect();
        answers.extend(write_chunk(runner, &chunk).await);
    }
    answers
}

async fn write_chunk<C: OutgoingChange>(
    runner: &ScriptRunner,
    changes: &[C],
) -> Vec<Result<Written, WriteError>> {
    let error = match C::send(runner, changes).await {
        Ok(answers) => return answers,
        Err(error) => error,
    };
    let failure = script::failure(error.clone());
    let mut answers: Vec<_> = changes.iter().map(|_| Err(WriteError::Unavailable(failure.clone()))).collect();
    // Redis may have applied the changes or not. Those with a key can be sent again, because the script does not apply such a change twice.
    let keyed: Vec<usize> = (0..changes.len()).filter(|&index| changes[index].has_key()).collect();
    if !keyed.is_empty() && script::is_cut(&error) {
        let again: Vec<C> = keyed.iter().map(|&index| changes[index]).collect();
        for (index, answer) in keyed.into_iter().zip(C::send(runner, &again).await.unwrap_or_default()) {
            // The key was probably used by the first of the two calls: so the change still has to be announced.
            answers[index] = answer.map(|written| Written { replayed: false, ..written });
        }
    }
    answers
}
