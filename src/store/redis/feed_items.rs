//! Changes of feeds: one call of a script for all changes of a batch.

use redis::{Cmd, RedisResult, Value};

use super::batch;
use super::changes::OutgoingChange;
use super::combined::{Combination, combine, share};
use super::keys::KeyWriter;
use super::reply::{self, number, text, unexpected};
use super::runner::ScriptRunner;
use super::script;
use crate::domain::{Epoch, FeedRetention, Topic};
use crate::store::{Change, GRACE, KeyUse, LONGEST_LEASE, StoreError, Write, WriteError, Written, random};

impl OutgoingChange for &Write {
    const CHUNK: usize = batch::CHUNK;

    fn topic(&self) -> &Topic {
        &self.topic
    }

    fn has_key(&self) -> bool {
        self.once.is_some()
    }

    async fn send(runner: &ScriptRunner, changes: &[Self]) -> RedisResult<Vec<Result<Written, WriteError>>> {
        send(runner, changes).await
    }
}

/// Sends changes. Events that are appended to one feed together are one item, unless they have keys or times.
async fn send(runner: &ScriptRunner, items: &[&Write]) -> RedisResult<Vec<Result<Written, WriteError>>> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let (bucket, epoch) = (first.topic.bucket(), random::epoch()?);
    let joins = |first: usize, next: usize| {
        let (first, next) = (items[first], items[next]);
        first.may_create == next.may_create && is_plain(first) && is_plain(next)
    };
    let combined = combine(items.iter().map(|item| &item.topic), joins);
    let keyed = items.iter().filter(|item| item.once.is_some()).count();
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

/// Whether the change appends events of the present, without a key.
fn is_plain(item: &Write) -> bool {
    item.once.is_none() && item.at.is_none() && matches!(item.change, Change::Append(_))
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
        if let Some(once) = &item.once {
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
        match &item.once {
            Some(once) => {
                command.arg(once.lifetime.as_millis() as u64);
                match KeyUse::of(&item.change) {
                    KeyUse::Append(digest) => command.arg(digest),
                    KeyUse::Delete => command.arg("x"),
                    _ => command.arg(""),
                };
            }
            None => _ = command.arg("").arg(""),
        }
        match item.at {
            Some(at) => command.arg(at),
            None => command.arg(""),
        };
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
    Ok(match parts {
        [Value::Int(1), epoch, revision, at, created] => {
            let created = number::<i64>(created)? != 0;
            let stamp = Some(reply::stamp(epoch, revision, at)?);
            Ok(Written { stamp, created, ..Written::default() })
        }
        [Value::Int(2), epoch, revision, at] => {
            let stamp = Some(reply::stamp(epoch, revision, at)?);
            Ok(Written { stamp, replayed: true, ..Written::default() })
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
