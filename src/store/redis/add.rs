//! Additions: one call of a script for all that wait, and what to do when the call gets no answer.

use futures_util::future::join_all;
use redis::{Cmd, RedisResult};

use super::batch::{self, CHUNK};
use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::{reply, script};
use crate::domain::Epoch;
use crate::store::{Add, AddError, Added, GRACE, KEY_LIFETIME, LONGEST_LEASE, StoreError, bounds, random};

/// An addition on its way to Redis.
#[derive(Clone, Copy)]
struct AddItem<'a> {
    add: &'a Add,
    /// The index of its answer.
    position: usize,
    least: i64,
    greatest: i64,
    plain: bool,
}

/// Adds; the answers are in the order of `adds`.
pub(super) async fn add(runner: &ScriptRunner, adds: &[Add]) -> Vec<Result<Added, AddError>> {
    let groups = runner.topology.groups(adds.iter().map(|add| &add.topic));
    if let [group] = groups.as_slice() {
        return add_group(runner, adds, group).await;
    }
    let answers = join_all(groups.iter().map(|group| add_group(runner, adds, group))).await;
    batch::ungroup(&groups, answers)
}

/// Adds the items of `group`, all of which one call may touch; the answers are in the order of the group.
async fn add_group(runner: &ScriptRunner, adds: &[Add], group: &[usize]) -> Vec<Result<Added, AddError>> {
    let mut answers: Vec<_> = group.iter().map(|_| Err(AddError::OutOfRange)).collect();
    let mut items = Vec::with_capacity(group.len());
    for (position, &index) in group.iter().enumerate() {
        let add = &adds[index];
        if let Some(bounds) = bounds::of(add) {
            let plain = bounds::are_trivial(&bounds) && add.claim.is_none() && add.key.is_none();
            items.push(AddItem { add, position, least: *bounds.start(), greatest: *bounds.end(), plain });
        }
    }
    for chunk in items.chunks(CHUNK) {
        add_chunk(runner, chunk, &mut answers).await;
    }
    answers
}

async fn add_chunk(runner: &ScriptRunner, items: &[AddItem<'_>], answers: &mut [Result<Added, AddError>]) {
    let Err(error) = send(runner, items, answers).await else { return };
    let failure = StoreError::new(error.clone());
    for item in items {
        answers[item.position] = Err(AddError::Unavailable(failure.clone()));
    }
    // Redis may have counted the items or not. An item with a key can be sent again, as it cannot count twice.
    let keyed: Vec<_> = items.iter().copied().filter(|item| item.add.key.is_some()).collect();
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
    items: &[AddItem<'_>],
    answers: &mut [Result<Added, AddError>],
) -> RedisResult<()> {
    let Some(first) = items.first() else { return Ok(()) };
    let epoch = random::epoch()?;
    let keys = 2 * items.len() + items.iter().filter(|item| item.add.key.is_some()).count();
    let plain = items.iter().all(|item| item.plain);
    let script = if plain { &script::ADD_PLAIN } else { &script::ADD };
    let bucket = first.add.topic.bucket();
    let reply =
        runner.run_change(bucket, script, keys, |command| write(command, items, epoch, plain)).await?;
    let replies = reply::items(reply, items.len())?;
    for (item, reply) in items.iter().zip(&replies) {
        answers[item.position] = reply::added(reply)?;
    }
    Ok(())
}

/// Which of the items may create their topics; empty if all of them may.
fn creators(items: &[AddItem<'_>]) -> String {
    if items.iter().all(|item| item.add.may_create) {
        return String::new();
    }
    items.iter().map(|item| if item.add.may_create { '1' } else { '0' }).collect()
}

/// Appends keys and arguments as `add.lua` lists them, or `add_plain.lua`.
fn write(command: &mut Cmd, items: &[AddItem<'_>], epoch: Epoch, plain: bool) {
    let mut keys = KeyWriter::default();
    for AddItem { add, .. } in items {
        keys.topic_and_outbox(command, &add.topic);
        if let Some(key) = &add.key {
            keys.record(command, &add.topic, key);
        }
    }
    command.arg(epoch.get()).arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64);
    command.arg(creators(items));
    if plain && items.iter().all(|AddItem { add, .. }| (add.sum, add.changes) == (1, 1)) {
        return;
    }
    for AddItem { add, least, greatest, .. } in items {
        command.arg(add.sum).arg(add.changes);
        if plain {
            continue;
        }
        command.arg(*least).arg(*greatest);
        match add.claim {
            Some(lease) => command.arg(lease.as_millis() as u64),
            None => command.arg(""),
        };
        match add.key {
            Some(_) => command.arg(KEY_LIFETIME.as_millis() as u64),
            None => command.arg(""),
        };
    }
}
