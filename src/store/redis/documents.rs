//! Entities: documents whose fields are in a hash of their own, with scripts of their own.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use redis::{Cmd, RedisResult, Value};

use super::batch::BatchQuery;
use super::call::Call;
use super::changes;
use super::document_items::{DocumentItem, Item};
use super::keys::KeyWriter;
use super::reply::{self, text};
use super::runner::ScriptRunner;
use super::script;
use crate::domain::{BUCKETS, Document, Epoch, JsonText, Topic};
use crate::store::{
    Body, Claim, ClaimTerms, GRACE, LONGEST_LEASE, Reading, StoreError, Write, WriteError, Written, change,
};

/// Changes entities; the answers are in the order of `writes`.
pub(super) async fn write(runner: &ScriptRunner, writes: &[Write]) -> Vec<Result<Written, WriteError>> {
    let fitting = writes.iter().filter(|write| write.change.fits(&write.topic));
    let items: Vec<DocumentItem<'_>> = fitting.map(DocumentItem::from).collect();
    let mut answers = changes::write(runner, &items).await.into_iter();
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
    let item =
        |topic| DocumentItem { topic, item: Item::EndOfLife, once: None, may_create: true, ends: None };
    let items: Vec<_> = topics.iter().map(item).collect();
    let answers = changes::write(runner, &items).await;
    let removed = |answer: &Result<Written, _>| answer.as_ref().is_ok_and(|written| written.removed);
    let ended = topics.iter().zip(&answers).filter(|(_, answer)| removed(answer));
    Ok(ended.map(|(topic, _)| topic.clone()).collect())
}

/// When the lives of entities end. All commands are on their way at the same time.
pub(super) async fn ends(runner: &ScriptRunner, entities: &[Topic]) -> RedisResult<Vec<Option<u64>>> {
    runner.schema.check(&runner.topology).await?;
    try_join_all(entities.iter().map(async |entity| {
        let mut command = redis::cmd("ZSCORE");
        KeyWriter::default().lives(&mut command, entity.bucket());
        command.arg(entity.name());
        match reply::refuse_error(runner.topology.send(entity.bucket(), Call::of(&command)).await?)? {
            Value::Nil => Ok(None),
            // Times are whole numbers far below 2^53. With RESP2 they come as text, without a fraction.
            Value::Double(score) => Ok(Some(score as u64)),
            score => reply::number(&score).map(Some),
        }
    }))
    .await
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
