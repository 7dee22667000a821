//! Entities: documents whose fields are in a hash of their own, with scripts of their own.

use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value};

use super::batch::{self, BatchQuery};
use super::document_items::{DocumentItem, Item, send};
use super::keys::KeyWriter;
use super::reply::{self, text};
use super::runner::ScriptRunner;
use super::script;
use crate::domain::{BUCKETS, Document, Epoch, JsonText, Topic};
use crate::store::{
    Body, Claim, ClaimTerms, GRACE, LONGEST_LEASE, Reading, StoreError, Write, WriteError, Written, change,
};

/// The most entities in one call of a script. They are fewer than numbers, since each has many fields.
const CHUNK: usize = 100;

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
        [name, value] => Ok((text(name)?.into(), JsonText::of_stored(text(value)?))),
        _ => Err(reply::unexpected()),
    };
    let fields = parts.chunks(2).map(field).collect::<RedisResult<Vec<_>>>()?;
    Ok(Body::Document(Document::of(fields).into()))
}
