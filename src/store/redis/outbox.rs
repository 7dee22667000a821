//! The outbox: which topics still have to be announced.

use std::time::Duration;

use futures_util::future::join_all;
use redis::{RedisResult, Value};

use super::batch::CHUNK;
use super::keys::{self, KeyWriter};
use super::reply;
use super::runner::ScriptRunner;
use super::script::{self, Script};
use crate::domain::{BUCKETS, EventId, OUTBOX_PARTS, Topic};
use crate::store::{GRACE, LONGEST_LEASE, TOMBSTONE_LIFETIME, random};

/// Removes the marks of announced topics.
pub(super) async fn acknowledge(runner: &ScriptRunner, claims: &[(Topic, EventId)]) -> RedisResult<()> {
    // The acknowledgement ends the direct form. An addition that comes before it finds out that the counter still has it.
    claims.iter().for_each(|(topic, _)| runner.direct.note(topic, None));
    let groups = runner.topology.groups(claims.iter().map(|(topic, _)| topic));
    let calls = groups.iter().flat_map(|group| group.chunks(CHUNK)).map(|chunk| {
        let bucket = claims[chunk[0]].0.bucket();
        runner.run(bucket, &script::ACKNOWLEDGE, 2 * chunk.len(), move |command| {
            let mut keys = KeyWriter::default();
            for &index in chunk {
                keys.topic_and_outbox(command, &claims[index].0);
            }
            command.arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64);
            command.arg(TOMBSTONE_LIFETIME.as_millis() as u64);
            for &index in chunk {
                let id = claims[index].1;
                command.arg(id.epoch.get()).arg(id.revision);
            }
        })
    });
    join_all(calls).await.into_iter().collect::<RedisResult<Vec<_>>>().map(|_| ())
}

/// Whether this caller may sweep. If so, no other caller may sweep during `pause`.
pub(super) async fn open_sweep(runner: &ScriptRunner, pause: Duration) -> RedisResult<bool> {
    // Two callers may sweep at once if they cannot reach the same nodes. Then both are given the same topics, and each
    // claim is given to one of the two.
    Ok(runner.ask_one_node(|bucket| keys::shut_sweep(bucket, pause)).await? == Value::Int(1))
}

/// Topics with overdue marks. In a Cluster, only the topics on nodes that answer.
pub(super) async fn overdue(runner: &ScriptRunner, limit: usize) -> RedisResult<Vec<Topic>> {
    let mut topics = Vec::new();
    let mut failure = None;
    for reply in ask_outboxes(runner, &script::OVERDUE, limit).await? {
        match reply.and_then(reply::topics) {
            Ok(found) => topics.extend(found),
            Err(error) => failure = Some(error),
        }
    }
    topics.truncate(limit);
    match failure {
        Some(error) if topics.is_empty() => Err(error),
        _ => Ok(topics),
    }
}

/// How many marks there are.
pub(super) async fn len(runner: &ScriptRunner) -> RedisResult<u64> {
    reply::sum(ask_outboxes(runner, &script::OUTBOX_LEN, 0).await?)
}

/// Runs a script on the outboxes of all buckets. It begins with a random bucket, so that no bucket is always the last.
async fn ask_outboxes(
    runner: &ScriptRunner,
    script: &Script,
    limit: usize,
) -> RedisResult<Vec<RedisResult<Value>>> {
    let start = (random::number()? % u64::from(BUCKETS)) as u16;
    let buckets: Vec<u16> = (start..BUCKETS).chain(0..start).collect();
    let calls = runner.topology.bucket_groups(&buckets).map(|buckets| {
        let parts = usize::from(OUTBOX_PARTS) * buckets.len();
        runner.run(buckets[0], script, parts, move |command| {
            let mut keys = KeyWriter::default();
            for &bucket in buckets {
                for part in 0..OUTBOX_PARTS {
                    keys.outbox(command, bucket, part);
                }
            }
            command.arg(limit).arg(LONGEST_LEASE.as_millis() as u64);
        })
    });
    Ok(join_all(calls).await)
}
