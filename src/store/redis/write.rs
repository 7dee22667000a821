//! Changes topics: one call of a script for all changes of a batch, and a second call for those with an idempotency key if the
//! connection breaks before the answer.

use futures_util::future::join_all;
use redis::{Cmd, RedisResult};

use super::batch::{self, CHUNK};
use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::{reply, script};
use crate::domain::{Epoch, LIMIT, Retention};
use crate::store::{
    Change, GRACE, LONGEST_LEASE, Once, Replay, StoreError, Write, WriteError, Written, bounds, random,
};

/// A change on its way to Redis.
#[derive(Clone, Copy)]
struct WriteItem<'a> {
    write: &'a Write,
    /// The index of the item's answer.
    position: usize,
    least: i64,
    greatest: i64,
    plain: bool,
}

/// Changes topics; the answers are in the order of `writes`.
pub(super) async fn write(runner: &ScriptRunner, writes: &[Write]) -> Vec<Result<Written, WriteError>> {
    let groups = runner.topology.groups(writes.iter().map(|write| &write.topic));
    if let [group] = groups.as_slice() {
        return write_group(runner, writes, group).await;
    }
    let answers = join_all(groups.iter().map(|group| write_group(runner, writes, group))).await;
    batch::ungroup(&groups, answers)
}

/// Applies the items of `group`, all of which one call may touch; the answers are in the order of the group.
async fn write_group(
    runner: &ScriptRunner,
    writes: &[Write],
    group: &[usize],
) -> Vec<Result<Written, WriteError>> {
    let mut answers: Vec<_> = group.iter().map(|_| Err(WriteError::OutOfRange)).collect();
    let mut items = Vec::with_capacity(group.len());
    for (position, &index) in group.iter().enumerate() {
        let write = &writes[index];
        let (bounds, addition) = match write.change {
            Change::Add(sum) => (bounds::of(&sum), true),
            Change::Set(value) => (Some(-LIMIT..=LIMIT).filter(|range| range.contains(&value)), false),
            Change::Delete => (Some(-LIMIT..=LIMIT), false),
        };
        if let Some(bounds) = bounds {
            let alone = write.claim.is_none() && write.once.is_none();
            let plain = addition && alone && bounds::are_trivial(&bounds);
            items.push(WriteItem { write, position, least: *bounds.start(), greatest: *bounds.end(), plain });
        }
    }
    for chunk in items.chunks(CHUNK) {
        write_chunk(runner, chunk, &mut answers).await;
    }
    answers
}

async fn write_chunk(
    runner: &ScriptRunner,
    items: &[WriteItem<'_>],
    answers: &mut [Result<Written, WriteError>],
) {
    let Err(error) = send(runner, items, answers).await else { return };
    let failure = StoreError::new(error.clone());
    for item in items {
        answers[item.position] = Err(WriteError::Unavailable(failure.clone()));
    }
    // Redis may have applied the items or not. An item with a key can be sent again, because the script does not apply such an
    // item twice.
    let keyed: Vec<_> = items.iter().copied().filter(|item| item.write.once.is_some()).collect();
    if !keyed.is_empty() && script::is_cut(&error) {
        // If the second call fails as well, the answers of the first one stay.
        let _ = send(runner, &keyed, answers).await;
        for item in keyed {
            if let Ok(added) = &mut answers[item.position] {
                // The key was probably used by the first of the two calls: so the change still has to be announced.
                added.replayed = false;
            }
        }
    }
}

async fn send(
    runner: &ScriptRunner,
    items: &[WriteItem<'_>],
    answers: &mut [Result<Written, WriteError>],
) -> RedisResult<()> {
    let Some(first) = items.first() else { return Ok(()) };
    let epoch = random::epoch()?;
    let plain = items.iter().all(|item| item.plain);
    let script = if plain { &script::ADD_PLAIN } else { &script::WRITE };
    let retention = Some(runner.retention).filter(|_| !plain);
    let histories = items.iter().filter(|item| writes_history(item, retention)).count();
    let records = items.iter().filter(|item| item.write.once.is_some()).count();
    let keys = 2 * items.len() + histories + records;
    let bucket = first.write.topic.bucket();
    let reply =
        runner.run_change(bucket, script, keys, |command| append(command, items, epoch, retention)).await?;
    let replies = reply::items(reply, items.len())?;
    for (item, reply) in items.iter().zip(&replies) {
        answers[item.position] = reply::written(item.write.change, reply)?;
    }
    Ok(())
}

/// `1` for each item that may create its topic and `0` for each other item; empty if all items may create their topics.
fn creators(items: &[WriteItem<'_>]) -> String {
    if items.iter().all(|item| item.write.may_create) {
        return String::new();
    }
    items.iter().map(|item| if item.write.may_create { '1' } else { '0' }).collect()
}

/// Whether the item is claimed and a history is kept. If so, the key of its history is among the keys of the call.
fn writes_history(item: &WriteItem<'_>, retention: Option<Retention>) -> bool {
    item.write.claim.is_some() && retention.is_some_and(|retention| retention.keeps_any())
}

/// Appends the keys and arguments that `write.lua` lists, or, without a retention, those that `add_plain.lua` lists.
fn append(command: &mut Cmd, items: &[WriteItem<'_>], epoch: Epoch, retention: Option<Retention>) {
    let plain = retention.is_none();
    let mut keys = KeyWriter::default();
    for item @ WriteItem { write, .. } in items {
        keys.topic_and_outbox(command, &write.topic);
        if writes_history(item, retention) {
            keys.history(command, &write.topic);
        }
        if let Some(once) = &write.once {
            keys.record(command, &write.topic, &once.key);
        }
    }
    command.arg(epoch.get()).arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64);
    command.arg(creators(items));
    if let Some(Retention { hours, days }) = retention {
        command.arg(hours).arg(days);
    }
    if plain && items.iter().all(|WriteItem { write, .. }| write.change == Change::Add(1.into())) {
        return;
    }
    for WriteItem { write, least, greatest, .. } in items {
        match write.change {
            Change::Add(sum) => command.arg(sum.total).arg(sum.changes),
            Change::Set(value) => command.arg(format!("={value}")).arg(1),
            Change::Delete => command.arg("x").arg(1),
        };
        if plain {
            continue;
        }
        command.arg(*least).arg(*greatest);
        match write.claim {
            Some(lease) => command.arg(lease.as_millis() as u64),
            None => command.arg(""),
        };
        match &write.once {
            Some(Once { lifetime, replay: Replay::FirstAnswer, .. }) => {
                command.arg(lifetime.as_millis() as u64)
            }
            Some(Once { lifetime, replay: Replay::Present, .. }) => {
                command.arg(format!("*{}", lifetime.as_millis()))
            }
            None => command.arg(""),
        };
    }
}
