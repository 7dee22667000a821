//! Changes of entities on their way to `merge.lua`, and its answers.

use redis::{Cmd, RedisError, RedisResult, Value};

use super::changes::OutgoingChange;
use super::combined::{Combination, share};
use super::keys::KeyWriter;
use super::merges::CombinedMerge;
use super::reply::{self, text};
use super::runner::ScriptRunner;
use super::script;
use crate::domain::{Document, Epoch, FieldChange, MergeError, Topic};
use crate::store::{
    Change, GRACE, KeyUse, LONGEST_LEASE, Once, StoreError, Write, WriteError, Written, random,
};

/// The change of a [`Write`], or the deletion of an entity whose life is over.
#[derive(Clone, Copy)]
pub(super) enum Item<'a> {
    Change(&'a Change),
    EndOfLife,
}

/// An item on its way to Redis.
#[derive(Clone, Copy)]
pub(super) struct DocumentItem<'a> {
    pub(super) topic: &'a Topic,
    pub(super) item: Item<'a>,
    pub(super) once: Option<&'a Once>,
    pub(super) may_create: bool,
    /// When the life of the entity ends, in milliseconds since 1970, whatever a merge says.
    pub(super) ends: Option<u64>,
}

impl<'a> From<&'a Write> for DocumentItem<'a> {
    fn from(write: &'a Write) -> Self {
        DocumentItem {
            topic: &write.topic,
            item: Item::Change(&write.change),
            once: write.once.as_ref(),
            may_create: write.may_create,
            ends: write.ends,
        }
    }
}

impl<'a> DocumentItem<'a> {
    /// The item as a merge that may combine with others: it has neither a key nor a life.
    fn as_merge(&self) -> Option<CombinedMerge<'a>> {
        match self.item {
            Item::Change(Change::Merge(merge))
                if self.once.is_none() && merge.keep.is_none() && self.ends.is_none() =>
            {
                Some(CombinedMerge::of(&merge.fields, self.may_create))
            }
            _ => None,
        }
    }
}

impl OutgoingChange for DocumentItem<'_> {
    // They are fewer than numbers, since each entity has many fields.
    const CHUNK: usize = 100;

    fn topic(&self) -> &Topic {
        self.topic
    }

    fn has_key(&self) -> bool {
        self.once.is_some()
    }

    async fn send(runner: &ScriptRunner, changes: &[Self]) -> RedisResult<Vec<Result<Written, WriteError>>> {
        send(runner, changes).await
    }
}

/// Sends changes. Merges of one entity that come together are one item where they combine. If the entity refuses a combination, it may take some of the
/// merges, so these are sent again, one by one.
async fn send(
    runner: &ScriptRunner,
    items: &[DocumentItem<'_>],
) -> RedisResult<Vec<Result<Written, WriteError>>> {
    let merges: Vec<Option<CombinedMerge<'_>>> = items.iter().map(DocumentItem::as_merge).collect();
    let topics: Vec<&Topic> = items.iter().map(|item| item.topic).collect();
    let combined = CombinedMerge::combine(&topics, merges);
    let mut answers: Vec<_> = items.iter().map(|_| Err(WriteError::WouldBeNew)).collect();
    let mut refused = Vec::new();
    for ((indices, _), answer) in combined.iter().zip(send_combined(runner, items, &combined).await?) {
        if indices.len() > 1 && matches!(answer, Err(WriteError::Merge(_))) {
            refused.extend(indices.iter().copied());
        }
        for (&index, answer) in indices.iter().zip(share(&answer, indices.iter().map(|_| 1))) {
            answers[index] = answer;
        }
    }
    if !refused.is_empty() {
        let alone: Vec<_> = refused.iter().map(|&index| (Combination::from_buf([index]), None)).collect();
        for (index, answer) in refused.into_iter().zip(send_combined(runner, items, &alone).await?) {
            answers[index] = answer;
        }
    }
    Ok(answers)
}

/// Items that are one item of the script, and the changes of all of them if they are several merges.
type CombinedItem<'a> = (Combination, Option<CombinedMerge<'a>>);

async fn send_combined(
    runner: &ScriptRunner,
    items: &[DocumentItem<'_>],
    combined: &[CombinedItem<'_>],
) -> RedisResult<Vec<Result<Written, WriteError>>> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let epoch = random::epoch()?;
    let keyed = combined.iter().filter(|(indices, _)| items[indices[0]].once.is_some()).count();
    let keys = 4 * combined.len() + keyed;
    let append = |command: &mut Cmd| append(command, items, combined, epoch);
    let reply = runner.run_change(first.topic.bucket(), &script::MERGE, keys, append).await?;
    reply::items(reply, combined.len())?.iter().map(written).collect()
}

/// Appends the keys and arguments that `merge.lua` lists.
fn append(command: &mut Cmd, items: &[DocumentItem<'_>], combined: &[CombinedItem<'_>], epoch: Epoch) {
    let mut keys = KeyWriter::default();
    for (indices, _) in combined {
        let item = items[indices[0]];
        keys.topic_and_outbox(command, item.topic);
        keys.fields(command, item.topic);
        keys.lives(command, item.topic.bucket());
        if let Some(once) = item.once {
            keys.record(command, item.topic, &once.key);
        }
    }
    let creators = combined.iter().map(|(indices, _)| if items[indices[0]].may_create { '1' } else { '0' });
    command.arg(epoch.get()).arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64);
    command.arg(creators.collect::<String>()).arg(Document::MAX_FIELDS).arg(Document::MAX_BYTES);
    for (indices, merge) in combined {
        match merge {
            Some(merge) => {
                command.arg(merge.len()).arg("").arg("").arg(indices.len());
                merge.iter().for_each(|(name, change)| append_change(command, name, change));
            }
            None => append_item(command, &items[indices[0]]),
        }
    }
}

fn append_item(command: &mut Cmd, item: &DocumentItem<'_>) {
    let merge = match item.item {
        Item::Change(Change::Merge(merge)) => Some(merge),
        _ => None,
    };
    match (&merge, item.item) {
        (Some(merge), _) => command.arg(merge.fields.iter().len()),
        (None, Item::EndOfLife) => command.arg("o"),
        (None, Item::Change(_)) => command.arg("x"),
    };
    match (item.ends, merge.and_then(|merge| merge.keep)) {
        (Some(ends), _) => command.arg(format!("={ends}")),
        (None, Some(life)) => command.arg(life.as_millis() as u64),
        (None, None) => command.arg(""),
    };
    match (item.once, item.item) {
        (Some(once), Item::Change(change)) => {
            command.arg(once.lifetime.as_millis() as u64).arg(digest(KeyUse::of(change)))
        }
        _ => command.arg("").arg(1),
    };
    let fields = merge.iter().flat_map(|merge| merge.fields.iter());
    fields.for_each(|(name, change)| append_change(command, name, change));
}

fn append_change(command: &mut Cmd, name: &str, change: &FieldChange) {
    match change {
        FieldChange::Add(number) => command.arg("+").arg(name).arg(*number),
        FieldChange::Set(value) => command.arg("=").arg(name).arg(value.as_str()),
        FieldChange::Remove => command.arg("-").arg(name).arg(""),
    };
}

/// The use of a key as its record has it.
fn digest(key_use: KeyUse) -> String {
    match key_use {
        KeyUse::Merge(digest) => format!("m{digest:016x}"),
        _ => "x".to_owned(),
    }
}

/// Decodes an item of the answer of `merge.lua`.
fn written(item: &Value) -> RedisResult<Result<Written, WriteError>> {
    let parts = match item {
        Value::ServerError(error) => {
            return Ok(Err(WriteError::Unavailable(StoreError::new(RedisError::from(error.clone())))));
        }
        Value::Array(parts) => parts.as_slice(),
        _ => return Err(reply::unexpected()),
    };
    let [Value::Int(form), parts @ ..] = parts else { return Err(reply::unexpected()) };
    Ok(match (form, parts) {
        (1, [epoch, revision, at, created]) => Ok(Written {
            created: reply::number::<i64>(created)? == 1,
            stamp: Some(reply::stamp(epoch, revision, at)?),
            ..Written::default()
        }),
        (2, [epoch, revision, at]) => Ok(Written {
            replayed: true,
            stamp: Some(reply::stamp(epoch, revision, at)?),
            ..Written::default()
        }),
        (3, [digest]) => Err(WriteError::KeyReused(key_use(text(digest)?)?)),
        (4, []) => Err(WriteError::WouldBeNew),
        (5 | 6, [Value::Int(removed)]) => {
            Ok(Written { removed: *removed == 1, replayed: *form == 6, ..Written::default() })
        }
        (7, [name]) => Err(MergeError::NotWhole(text(name)?.into()).into()),
        (8, [name]) => Err(MergeError::TooLarge(text(name)?.into()).into()),
        (9, [fields]) => Err(MergeError::TooManyFields(reply::number::<i64>(fields)? as usize).into()),
        (10, [bytes]) => Err(MergeError::TooLong(reply::number::<i64>(bytes)? as usize).into()),
        _ => return Err(reply::unexpected()),
    })
}

fn key_use(digest: &str) -> RedisResult<KeyUse> {
    match digest.strip_prefix('m') {
        Some(number) => u64::from_str_radix(number, 16).map(KeyUse::Merge).map_err(|_| reply::unexpected()),
        None => Ok(KeyUse::Delete),
    }
}
