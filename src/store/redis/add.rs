//! Adding: one call of a script for everything that waits, and what to do when it gets no answer.

use redis::{Cmd, RedisResult};

use super::batch::CHUNK;
use super::keys::KeyWriter;
use super::{RedisStore, reply, script};
use crate::domain::Epoch;
use crate::store::{Add, AddError, Added, GRACE, KEY_LIFETIME, LONGEST_LEASE, StoreError, bounds, random};

/// An item on its way to Redis.
#[derive(Clone, Copy)]
struct Item<'a> {
    add: &'a Add,
    /// Where its answer belongs.
    position: usize,
    least: i64,
    greatest: i64,
    plain: bool,
}

impl RedisStore {
    /// Adds the items of `group`, all of which one call may touch; answers in the order of the group.
    pub(super) async fn add_group(&self, adds: &[Add], group: &[usize]) -> Vec<Result<Added, AddError>> {
        let mut answers: Vec<_> = group.iter().map(|_| Err(AddError::OutOfRange)).collect();
        let mut items = Vec::with_capacity(group.len());
        for (position, &index) in group.iter().enumerate() {
            let add = &adds[index];
            if let Some(bounds) = bounds::of(add) {
                let plain = bounds::are_trivial(&bounds) && add.claim.is_none() && add.key.is_none();
                items.push(Item { add, position, least: *bounds.start(), greatest: *bounds.end(), plain });
            }
        }
        for chunk in items.chunks(CHUNK) {
            self.add_chunk(chunk, &mut answers).await;
        }
        answers
    }

    async fn add_chunk(&self, items: &[Item<'_>], answers: &mut [Result<Added, AddError>]) {
        let Err(error) = self.send(items, answers).await else { return };
        let failure = StoreError::new(error.clone());
        for item in items {
            answers[item.position] = Err(AddError::Unavailable(failure.clone()));
        }
        // Whether Redis has counted them is not known; sent again, those with a key cannot count twice.
        let keyed: Vec<_> = items.iter().copied().filter(|item| item.add.key.is_some()).collect();
        if !keyed.is_empty() && script::is_cut(&error) {
            // A second failure leaves the answers of the first.
            let _ = self.send(&keyed, answers).await;
            for item in keyed {
                if let Ok(added) = &mut answers[item.position] {
                    // As far as anybody knows it was the first of the two that used the key: it is still to be announced.
                    added.replayed = false;
                }
            }
        }
    }

    async fn send(&self, items: &[Item<'_>], answers: &mut [Result<Added, AddError>]) -> RedisResult<()> {
        let Some(first) = items.first() else { return Ok(()) };
        let epoch = random::epoch()?;
        let keys = 2 * items.len() + items.iter().filter(|item| item.add.key.is_some()).count();
        let plain = items.iter().all(|item| item.plain);
        let script = if plain { &script::ADD_PLAIN } else { &script::ADD };
        let reply = self
            .count(first.add.topic.bucket(), script, keys, |command| write(command, items, epoch, plain))
            .await?;
        let replies = reply::items(reply, items.len())?;
        for (item, reply) in items.iter().zip(&replies) {
            answers[item.position] = reply::added(reply)?;
        }
        Ok(())
    }
}

/// Which of the items may create their topics; nothing where all of them may.
fn creators(items: &[Item<'_>]) -> String {
    if items.iter().all(|item| item.add.may_create) {
        return String::new();
    }
    items.iter().map(|item| if item.add.may_create { '1' } else { '0' }).collect()
}

/// Keys and arguments as `add.lua` lists them, or `add_plain.lua`.
fn write(command: &mut Cmd, items: &[Item<'_>], epoch: Epoch, plain: bool) {
    let mut keys = KeyWriter::default();
    for Item { add, .. } in items {
        keys.topic_and_outbox(command, &add.topic);
        if let Some(key) = &add.key {
            keys.record(command, &add.topic, key);
        }
    }
    command.arg(epoch.get()).arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64);
    command.arg(creators(items));
    if plain && items.iter().all(|Item { add, .. }| (add.sum, add.changes) == (1, 1)) {
        return;
    }
    for Item { add, least, greatest, .. } in items {
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
