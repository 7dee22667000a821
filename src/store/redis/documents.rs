//! Entities: documents whose fields are in a hash of their own, with scripts of their own.

use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, RedisError, RedisResult, Value};
use smol_str::SmolStr;

use super::batch::{self, BatchQuery};
use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::{reply, script};
use crate::domain::{BUCKETS, Document, Epoch, EventId, FieldChange, JsonText, MergeError, Topic};
use crate::store::{
    Body, Change, Claim, ClaimTerms, GRACE, KeyUse, LONGEST_LEASE, Once, Reading, Stamp, StoreError, Write,
    WriteError, Written, change, random,
};

/// The most entities in one call of a script. They are fewer than numbers, since each has many fields.
const CHUNK: usize = 100;

/// The change of a [`Write`], or the deletion of an entity whose life is over.
#[derive(Clone, Copy)]
enum Item<'a> {
    Change(&'a Change),
    EndOfLife,
}

/// An item on its way to Redis.
#[derive(Clone, Copy)]
struct DocumentItem<'a> {
    topic: &'a Topic,
    item: Item<'a>,
    once: Option<&'a Once>,
    may_create: bool,
}

impl<'a> From<&'a Write> for DocumentItem<'a> {
    fn from(write: &'a Write) -> Self {
        DocumentItem {
            topic: &write.topic,
            item: Item::Change(&write.change),
            once: write.once.as_ref(),
            may_create: write.may_create,
        }
    }
}

/// Changes entities; the answers are in the order of `writes`.
pub(super) async fn write(runner: &ScriptRunner, writes: &[Write]) -> Vec<Result<Written, WriteError>> {
    let fitting = writes.iter().filter(|write| write.change.fits(&write.topic));
    let items: Vec<DocumentItem<'_>> = fitting.map(DocumentItem::from).collect();
    let mut answers = write_items(runner, &items).await.into_iter();
    let misfit = || Err(change::misfit().into());
    let answer = |write: &Write| write.change.fits(&write.topic).then(|| answers.next()).flatten();
    writes.iter().map(answer).map(|answer| answer.unwrap_or_else(misfit)).collect()
}

/// Deletes entities whose lives are over, some at a time, and returns their topics.
pub(super) async fn end_lives(runner: &ScriptRunner, limit: usize) -> RedisResult<Vec<Topic>> {
    let buckets: Vec<u16> = (0..BUCKETS).collect();
    let calls = runner.topology.bucket_groups(&buckets).map(|buckets| {
        runner.run(buckets[0], &script::LIVES, buckets.len(), move |command| {
            let mut keys = KeyWriter::default();
            buckets.iter().for_each(|&bucket| keys.lives(command, bucket));
            command.arg(limit);
        })
    });
    // The entities of a node that does not answer live on until the node answers.
    let found = join_all(calls).await.into_iter().filter_map(|names| names.and_then(reply::topics).ok());
    let topics: Vec<Topic> = found.flatten().take(limit).collect();
    let item = |topic| DocumentItem { topic, item: Item::EndOfLife, once: None, may_create: true };
    let items: Vec<_> = topics.iter().map(item).collect();
    let answers = write_items(runner, &items).await;
    let removed = |answer: &Result<Written, _>| answer.as_ref().is_ok_and(|written| written.removed);
    let ended = topics.iter().zip(&answers).filter(|(_, answer)| removed(answer));
    Ok(ended.map(|(topic, _)| topic.clone()).collect())
}

async fn write_items(runner: &ScriptRunner, items: &[DocumentItem<'_>]) -> Vec<Result<Written, WriteError>> {
    let groups = runner.topology.groups(items.iter().map(|item| item.topic));
    let answers = join_all(groups.iter().map(async |group| {
        let mut answers = Vec::with_capacity(group.len());
        for chunk in group.chunks(CHUNK) {
            let chunk: Vec<DocumentItem<'_>> = chunk.iter().map(|&index| items[index]).collect();
            answers.extend(write_chunk(runner, &chunk).await);
        }
        answers
    }));
    batch::ungroup(&groups, answers.await)
}

async fn write_chunk(runner: &ScriptRunner, items: &[DocumentItem<'_>]) -> Vec<Result<Written, WriteError>> {
    let error = match send(runner, items).await {
        Ok(answers) => return answers,
        Err(error) => error,
    };
    let failed = || Err(WriteError::Unavailable(StoreError::new(error.clone())));
    let mut answers: Vec<_> = items.iter().map(|_| failed()).collect();
    // Redis may have applied the items or not. An item with a key can be sent again, because the script does not apply such an
    // item twice.
    let keyed: Vec<usize> = (0..items.len()).filter(|&index| items[index].once.is_some()).collect();
    if !keyed.is_empty() && script::is_cut(&error) {
        let again: Vec<_> = keyed.iter().map(|&index| items[index]).collect();
        for (index, mut answer) in keyed.into_iter().zip(send(runner, &again).await.unwrap_or_default()) {
            if let Ok(written) = &mut answer {
                // The key was probably used by the first of the two calls: so the change still has to be announced.
                written.replayed = false;
            }
            answers[index] = answer;
        }
    }
    answers
}

async fn send(
    runner: &ScriptRunner,
    items: &[DocumentItem<'_>],
) -> RedisResult<Vec<Result<Written, WriteError>>> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let epoch = random::epoch()?;
    let keys = 4 * items.len() + items.iter().filter(|item| item.once.is_some()).count();
    let append = |command: &mut Cmd| append(command, items, epoch);
    let reply = runner.run_change(first.topic.bucket(), &script::MERGE, keys, append).await?;
    reply::items(reply, items.len())?.iter().map(written).collect()
}

/// Appends the keys and arguments that `merge.lua` lists.
fn append(command: &mut Cmd, items: &[DocumentItem<'_>], epoch: Epoch) {
    let mut keys = KeyWriter::default();
    for item in items {
        keys.topic_and_outbox(command, item.topic);
        keys.fields(command, item.topic);
        keys.lives(command, item.topic.bucket());
        if let Some(once) = item.once {
            keys.record(command, item.topic, &once.key);
        }
    }
    let creators = items.iter().map(|item| if item.may_create { '1' } else { '0' });
    command.arg(epoch.get()).arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64);
    command.arg(creators.collect::<String>()).arg(Document::MAX_FIELDS).arg(Document::MAX_BYTES);
    for item in items {
        append_item(command, item);
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
    match merge.and_then(|merge| merge.keep) {
        Some(life) => command.arg(life.as_millis() as u64),
        None => command.arg(""),
    };
    match (item.once, item.item) {
        (Some(once), Item::Change(change)) => {
            command.arg(once.lifetime.as_millis() as u64).arg(digest(KeyUse::of(change)))
        }
        _ => command.arg("").arg(""),
    };
    for (name, change) in merge.iter().flat_map(|merge| merge.fields.iter()) {
        match change {
            FieldChange::Add(number) => command.arg("+").arg(name).arg(*number),
            FieldChange::Set(value) => command.arg("=").arg(name).arg(value.as_str()),
            FieldChange::Remove => command.arg("-").arg(name).arg(""),
        };
    }
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
            stamp: Some(stamp(epoch, revision, at)?),
            ..Written::default()
        }),
        (2, [epoch, revision, at]) => {
            Ok(Written { replayed: true, stamp: Some(stamp(epoch, revision, at)?), ..Written::default() })
        }
        (3, [digest]) => Err(WriteError::KeyReused(key_use(&text(digest)?)?)),
        (4, []) => Err(WriteError::WouldBeNew),
        (5 | 6, [Value::Int(removed)]) => {
            Ok(Written { removed: *removed == 1, replayed: *form == 6, ..Written::default() })
        }
        (7, [name]) => Err(MergeError::NotWhole(text(name)?).into()),
        (8, [name]) => Err(MergeError::TooLarge(text(name)?).into()),
        (9, [fields]) => Err(MergeError::TooManyFields(reply::number::<i64>(fields)? as usize).into()),
        (10, [bytes]) => Err(MergeError::TooLong(reply::number::<i64>(bytes)? as usize).into()),
        _ => return Err(reply::unexpected()),
    })
}

fn stamp(epoch: &Value, revision: &Value, at: &Value) -> RedisResult<Stamp> {
    let id = EventId { epoch: Epoch::new(reply::number(epoch)?), revision: reply::number(revision)? };
    Ok(Stamp { id, at: reply::number(at)? })
}

fn key_use(digest: &str) -> RedisResult<KeyUse> {
    match digest.strip_prefix('m') {
        Some(number) => u64::from_str_radix(number, 16).map(KeyUse::Merge).map_err(|_| reply::unexpected()),
        None => Ok(KeyUse::Delete),
    }
}

fn text(value: &Value) -> RedisResult<SmolStr> {
    match value {
        Value::BulkString(text) => {
            std::str::from_utf8(text).map(SmolStr::from).map_err(|_| reply::unexpected())
        }
        _ => Err(reply::unexpected()),
    }
}

/// The present state of entities.
pub(super) async fn read(runner: &ScriptRunner, topics: &[Topic]) -> Vec<Result<Reading, StoreError>> {
    let query = BatchQuery { script: &script::READ_DOCUMENTS, keys_per_topic: 2, decode: reading };
    let write = |command: &mut Cmd, chunk: &[usize]| {
        let mut keys = KeyWriter::default();
        for &index in chunk {
            keys.topic(command, &topics[index]);
            keys.fields(command, &topics[index]);
        }
    };
    query.ask(runner, topics, write).await
}

/// Claims entities; see [`Outbox::claim`](crate::store::Outbox::claim). The second part of an answer says whether `count.lua` must count
/// the entity.
pub(super) async fn claim(
    runner: &ScriptRunner,
    topics: &[Topic],
    terms: ClaimTerms,
    epoch: Epoch,
) -> Vec<Result<(Claim, bool), StoreError>> {
    let query = BatchQuery { script: &script::CLAIM_DOCUMENTS, keys_per_topic: 3, decode: claimed };
    let write = |command: &mut Cmd, chunk: &[usize]| {
        let mut keys = KeyWriter::default();
        for &index in chunk {
            keys.topic_and_outbox(command, &topics[index]);
            keys.fields(command, &topics[index]);
        }
        let millis = |time: Duration| time.as_millis() as u64;
        command.arg(millis(terms.interval)).arg(millis(terms.lease)).arg(epoch.get());
        command.arg(millis(LONGEST_LEASE)).arg(millis(GRACE)).arg(0).arg(0);
    };
    query.ask(runner, topics, write).await
}

/// Decodes an item of the answer of `read_documents.lua`.
fn reading(item: &Value) -> RedisResult<Reading> {
    reply::reading_of(item, document)
}

/// Decodes an item of the answer of `claim_documents.lua`.
fn claimed(item: &Value) -> RedisResult<(Claim, bool)> {
    reply::claim_of(item, document)
}

/// The names and values of fields, as `HGETALL` answers them.
fn document(value: &Value) -> RedisResult<Body> {
    let Value::Array(parts) = value else { return Err(reply::unexpected()) };
    let field = |pair: &[Value]| match pair {
        [name, value] => Ok((text(name)?, JsonText::of_stored(text(value)?))),
        _ => Err(reply::unexpected()),
    };
    let fields = parts.chunks(2).map(field).collect::<RedisResult<Vec<_>>>()?;
    Ok(Body::Document(Document::of(fields).into()))
}
