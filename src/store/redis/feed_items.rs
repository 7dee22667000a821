//! Changes of feeds: one call of a script for all changes of a batch.

use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value};

use super::batch::{self, CHUNK};
use super::combined::{Combination, combine, share};
use super::keys::KeyWriter;
use super::reply::{self, number, text, unexpected};
use super::runner::ScriptRunner;
use super::script;
use crate::domain::{Epoch, EventId, FeedRetention};
use crate::store::{
    Change, GRACE, KeyUse, LONGEST_LEASE, Stamp, StoreError, Write, WriteError, Written, random,
};

/// Changes feeds; the answers are in the order of `writes`.
pub(super) async fn write(runner: &ScriptRunner, writes: &[&Write]) -> Vec<Result<Written, WriteError>> {
    let groups = runner.topology.groups(writes.iter().map(|write| &write.topic));
    let answers = join_all(groups.iter().map(|group| write_group(runner, writes, group))).await;
    batch::ungroup(&groups, answers)
}

/// Applies the changes of `group`, all of which one call may touch; the answers are in the order of the group.
async fn write_group(
    runner: &ScriptRunner,
    writes: &[&Write],
    group: &[usize],
) -> Vec<Result<Written, WriteError>> {
    let mut answers = Vec::with_capacity(group.len());
    for chunk in group.chunks(CHUNK) {
        let items: Vec<&Write> = chunk.iter().map(|&index| writes[index]).collect();
        answers.extend(write_chunk(runner, &items).await);
    }
    answers
}

async fn write_chunk(runner: &ScriptRunner, items: &[&Write]) -> Vec<Result<Written, WriteError>> {
    let error = match send(runner, items).await {
        Ok(answers) => return answers,
        Err(error) => error,
    };
    let failure = StoreError::new(error.clone());
    let mut answers: Vec<_> = items.iter().map(|_| Err(WriteError::Unavailable(failure.clone()))).collect();
    // Redis may have applied the items or not. Those with a key can be sent again, because the script does not apply such an item twice.
    let keyed: Vec<usize> = (0..items.len()).filter(|&at| items[at].once.is_some()).collect();
    if !keyed.is_empty() && script::is_cut(&error) {
        let again: Vec<&Write> = keyed.iter().map(|&at| items[at]).collect();
        for (at, answer) in keyed.into_iter().zip(send(runner, &again).await.unwrap_or_default()) {
            // The key was probably used by the first of the two calls: so the change still has to be announced.
            answers[at] = answer.map(|written| Written { replayed: false, ..written });
        }
    }
    answers
}

/// Sends changes. Events that are appended to one feed together are one item, unless they have keys.
async fn send(runner: &ScriptRunner, items: &[&Write]) -> RedisResult<Vec<Result<Written, WriteError>>> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let (bucket, epoch) = (first.topic.bucket(), random::epoch()?);
    let joins = |first: usize, next: usize| {
        let (first, next) = (items[first], items[next]);
        first.may_create == next.may_create && is_plain(first) && is_plain(next)
    };
    let combined = combine(items.iter().map(|item| &item.topic), joins);
    let keyed = items.iter().filter(|item| record(item).is_some()).count();
    let retention = runner.retention.feeds;
    let append = |command: &mut Cmd| append_items(command, items, &combined, epoch, retention);
    let reply = runner.run_change(bucket, &script::APPEND, 3 * combined.len() + keyed, append).await?;
    let mut answers: Vec<_> = items.iter().map(|_| Err(WriteError::WouldBeNew)).collect();
    for (indices, reply) in combined.iter().zip(reply::items(reply, combined.len())?) {
        let revisions = indices.iter().map(|&index| match &items[index].change {
            Change::Append(events) => events.len() as u64,
            _ => 1,
        });
        for (&index, answer) in indices.iter().zip(share(&written(&reply)?, revisions)) {
            answers[index] = answer;
        }
    }
    Ok(answers)
}

/// Whether the change appends events without a key.
fn is_plain(item: &Write) -> bool {
    item.once.is_none() && matches!(item.change, Change::Append(_))
}

/// How long the idempotency key of an item is remembered.
fn record(item: &Write) -> Option<Duration> {
    item.once.as_ref().map(|once| once.lifetime)
}

/// Appends the keys and arguments that `append.lua` lists.
fn append_items(
    command: &mut Cmd,
    items: &[&Write],
    combined: &[Combination],
    epoch: Epoch,
    retention: FeedRetention,
) {
    let mut keys = KeyWriter::default();
    let first = |indices: &Combination| items[indices[0]];
    for item in combined.iter().map(first) {
        keys.topic_and_outbox(command, &item.topic);
        keys.events(command, &item.topic);
        if let (Some(once), Some(_)) = (&item.once, record(item)) {
            keys.record(command, &item.topic, &once.key);
        }
    }
    command.arg(epoch.get()).arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64);
    let may_create = |indices| if first(indices).may_create { '1' } else { '0' };
    let creators: String = combined.iter().map(may_create).collect();
    command.arg(if creators.contains('0') { creators.as_str() } else { "" });
    command.arg(retention.events).arg(retention.bytes).arg(retention.age.as_millis() as u64);
    command.arg(FeedRetention::UNCLAIMED_FACTOR);
    for indices in combined {
        let item = first(indices);
        let events = indices.iter().filter_map(|&index| match &items[index].change {
            Change::Append(events) => Some(events.iter()),
            _ => None,
        });
        match &item.change {
            Change::Append(_) => _ = command.arg(events.clone().map(|events| events.len()).sum::<usize>()),
            _ => _ = command.arg("x"),
        }
        match record(item) {
            Some(lifetime) => {
                command.arg(lifetime.as_millis() as u64);
                match KeyUse::of(&item.change) {
                    KeyUse::Append(digest) => command.arg(digest),
                    KeyUse::Delete => command.arg("x"),
                    _ => command.arg(""),
                };
            }
            None => _ = command.arg("").arg(""),
        }
        events.flatten().for_each(|event| _ = command.arg(event.as_str()));
    }
}

/// Decodes an item of the answer of `append.lua`.
fn written(item: &Value) -> RedisResult<Result<Written, WriteError>> {
    let parts = match item {
        Value::Array(parts) => parts.as_slice(),
        Value::ServerError(error) => return Ok(Err(WriteError::Unavailable(StoreError::new(error.clone())))),
        _ => return Err(unexpected()),
    };
    let stamp = |epoch: &Value, revision: &Value, at: &Value| {
        let id = EventId { epoch: Epoch::new(number(epoch)?), revision: number(revision)? };
        RedisResult::Ok(Some(Stamp { id, at: number(at)? }))
    };
    Ok(match parts {
        [Value::Int(1), epoch, revision, at, created] => {
            let created = number::<i64>(created)? != 0;
            Ok(Written { stamp: stamp(epoch, revision, at)?, created, ..Written::default() })
        }
        [Value::Int(2), epoch, revision, at] => {
            Ok(Written { stamp: stamp(epoch, revision, at)?, replayed: true, ..Written::default() })
        }
        [Value::Int(3), digest] => {
            let deletion = text(digest).is_ok_and(|text| text == "x");
            let append = || KeyUse::Append(unsigned(digest).unwrap_or_default());
            Err(WriteError::KeyReused(if deletion { KeyUse::Delete } else { append() }))
        }
        [Value::Int(4)] => Err(WriteError::WouldBeNew),
        [Value::Int(5), removed] => {
            Ok(Written { removed: number::<i64>(removed)? != 0, ..Written::default() })
        }
        [Value::Int(6), removed] => {
            let removed = number::<i64>(removed)? != 0;
            Ok(Written { removed, replayed: true, ..Written::default() })
        }
        _ => return Err(unexpected()),
    })
}

/// A digest, which may be greater than a signed number.
fn unsigned(value: &Value) -> Option<u64> {
    text(value).ok()?.parse().ok()
}
