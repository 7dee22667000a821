//! The events of feeds: one call of a script for all changes of a batch, one for all claims, and one for each reading.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value};

use super::batch::{self, BatchQuery, CHUNK};
use super::keys::KeyWriter;
use super::reply::{self, number, unexpected};
use super::runner::ScriptRunner;
use super::script;
use crate::domain::{Epoch, EventId, FeedEvent, FeedRetention, JsonText, Topic};
use crate::store::feeds::FeedState;
use crate::store::{
    Announcement, Body, Change, Claim, ClaimTerms, FeedPage, GRACE, KeyUse, LONGEST_LEASE, Missed, Stamp,
    StoreError, Write, WriteError, Written, random,
};

/// The most events that a page has.
const MOST_READ: usize = 100_000;

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

async fn send(runner: &ScriptRunner, items: &[&Write]) -> RedisResult<Vec<Result<Written, WriteError>>> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let (bucket, epoch) = (first.topic.bucket(), random::epoch()?);
    let keyed = items.iter().filter(|item| record(item).is_some()).count();
    let retention = runner.retention.feeds;
    let append = |command: &mut Cmd| append_items(command, items, epoch, retention);
    let reply = runner.run_change(bucket, &script::APPEND, 3 * items.len() + keyed, append).await?;
    reply::items(reply, items.len())?.iter().map(written).collect()
}

/// How long the idempotency key of an item is remembered. A deletion has none: it comes from this service alone.
fn record(item: &Write) -> Option<Duration> {
    let once = item.once.as_ref()?;
    matches!(item.change, Change::Append(_)).then_some(once.lifetime)
}

/// Appends the keys and arguments that `append.lua` lists.
fn append_items(command: &mut Cmd, items: &[&Write], epoch: Epoch, retention: FeedRetention) {
    let mut keys = KeyWriter::default();
    for item in items {
        keys.topic_and_outbox(command, &item.topic);
        keys.events(command, &item.topic);
        if let (Some(once), Some(_)) = (&item.once, record(item)) {
            keys.record(command, &item.topic, &once.key);
        }
    }
    command.arg(epoch.get()).arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64);
    let creators: String = items.iter().map(|item| if item.may_create { '1' } else { '0' }).collect();
    command.arg(if creators.contains('0') { creators.as_str() } else { "" });
    command.arg(retention.events).arg(retention.bytes).arg(retention.age.as_millis() as u64);
    command.arg(FeedRetention::UNCLAIMED_FACTOR);
    for item in items {
        let lifetime = record(item).map(|lifetime| lifetime.as_millis().to_string());
        match &item.change {
            Change::Append(events) => _ = command.arg(events.len()),
            _ => _ = command.arg("x"),
        }
        command.arg(lifetime.as_deref().unwrap_or_default());
        match KeyUse::of(&item.change) {
            KeyUse::Append(digest) if lifetime.is_some() => command.arg(digest),
            _ => command.arg(""),
        };
        if let Change::Append(events) = &item.change {
            events.iter().for_each(|event| _ = command.arg(event.as_str()));
        }
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
            Err(WriteError::KeyReused(KeyUse::Append(unsigned(digest).unwrap_or_default())))
        }
        [Value::Int(4)] => Err(WriteError::WouldBeNew),
        [Value::Int(5), removed] => {
            Ok(Written { removed: number::<i64>(removed)? != 0, ..Written::default() })
        }
        _ => return Err(unexpected()),
    })
}

/// Claims the events of feeds; the answers are in the order of the feeds. The second part of an answer says whether `count.lua` must count
/// the feed.
pub(super) async fn claim(
    runner: &ScriptRunner,
    feeds: &[Topic],
    terms: ClaimTerms,
) -> Vec<Result<(Claim, bool), StoreError>> {
    let query = BatchQuery { script: &script::CLAIM_FEED, keys_per_topic: 3, decode: claimed };
    let write = |command: &mut Cmd, chunk: &[usize]| {
        let mut keys = KeyWriter::default();
        for &index in chunk {
            keys.topic_and_outbox(command, &feeds[index]);
            keys.events(command, &feeds[index]);
        }
        command.arg(terms.interval.as_millis() as u64).arg(terms.lease.as_millis() as u64);
        command.arg(LONGEST_LEASE.as_millis() as u64).arg(GRACE.as_millis() as u64);
    };
    query.ask(runner, feeds, write).await
}

fn claimed(item: &Value) -> RedisResult<(Claim, bool)> {
    let parts = match item {
        Value::Int(0) => return Ok((Claim::Nothing, false)),
        Value::Int(wait) => return Ok((Claim::Wait(Duration::from_millis(wait.unsigned_abs())), false)),
        Value::Array(parts) => parts.as_slice(),
        Value::ServerError(error) => return Err(error.clone().into()),
        _ => return Err(unexpected()),
    };
    let [epoch, revision, prev, marks, entries] = parts else { return Err(unexpected()) };
    let marks: u8 = number(marks)?;
    let id = EventId { epoch: Epoch::new(number(epoch)?), revision: number(revision)? };
    let body = if marks & 1 == 0 { Body::Events(Arc::from(events(entries)?)) } else { Body::Gone };
    Ok((Claim::Announce(Announcement { body, id, prev: published(prev)? }), marks & 2 != 0))
}

/// All events behind `seen`.
pub(super) async fn after(runner: &ScriptRunner, feed: &Topic, seen: EventId) -> RedisResult<Missed> {
    let (state, events) = read(runner, feed, "after", seen.revision, MOST_READ).await?;
    Ok(state.missed(seen, events, runner.retention.feeds))
}

/// The last `limit` events, or the last ones before a revision.
pub(super) async fn before(
    runner: &ScriptRunner,
    feed: &Topic,
    before: Option<u64>,
    limit: usize,
) -> RedisResult<FeedPage> {
    // Revisions are far below this number, which Lua holds exactly.
    let before = before.unwrap_or(1 << 53);
    let (state, events) = read(runner, feed, "before", before, limit.min(MOST_READ)).await?;
    Ok(state.page(events, runner.retention.feeds))
}

/// What a feed holds. An answer of a script that was cut is asked for again by the connection.
async fn read(
    runner: &ScriptRunner,
    feed: &Topic,
    direction: &str,
    revision: u64,
    most: usize,
) -> RedisResult<(FeedState, Vec<FeedEvent>)> {
    let write = |command: &mut Cmd| {
        let mut keys = KeyWriter::default();
        keys.topic(command, feed);
        keys.events(command, feed);
        command.arg(direction).arg(revision.min(1 << 53)).arg(most);
    };
    let Value::Array(parts) = runner.run(feed.bucket(), &script::FEED, 2, write).await? else {
        return Err(unexpected());
    };
    let [now, epoch, revision, claimed, former, entries] = parts.as_slice() else { return Err(unexpected()) };
    let state = FeedState {
        now: number(now)?,
        epoch: if text(epoch)?.is_empty() { Epoch::NONE } else { Epoch::new(number(epoch)?) },
        revision: number(revision)?,
        published: published(claimed)?,
        former: text(former)?.split(',').filter_map(former_epoch).collect(),
    };
    Ok((state, events(entries)?))
}

fn former_epoch(text: &str) -> Option<(Epoch, u64)> {
    let (epoch, revision) = text.split_once(':')?;
    Some((Epoch::new(epoch.parse().ok()?), revision.parse().ok()?))
}

/// An id that is kept as `epoch-revision` with both in decimal; "0" is the id before the first claim.
fn published(value: &Value) -> RedisResult<EventId> {
    let text = text(value)?;
    if text == "0" {
        return Ok(EventId::default());
    }
    let id = text.split_once('-').and_then(|(epoch, revision)| {
        Some(EventId { epoch: Epoch::new(epoch.parse().ok()?), revision: revision.parse().ok()? })
    });
    id.ok_or_else(unexpected)
}

/// The entries of a stream, as `append.lua` writes them.
fn events(entries: &Value) -> RedisResult<Vec<FeedEvent>> {
    let Value::Array(entries) = entries else { return Err(unexpected()) };
    entries.iter().map(event).collect()
}

fn event(entry: &Value) -> RedisResult<FeedEvent> {
    let Value::Array(parts) = entry else { return Err(unexpected()) };
    let [id, Value::Array(fields)] = parts.as_slice() else { return Err(unexpected()) };
    let [_, epoch, _, at, _, data] = fields.as_slice() else { return Err(unexpected()) };
    let revision = text(id)?.split('-').next().and_then(|revision| revision.parse().ok());
    Ok(FeedEvent {
        id: EventId { epoch: Epoch::new(number(epoch)?), revision: revision.ok_or_else(unexpected)? },
        at: number(at)?,
        data: JsonText::of_stored(text(data)?),
    })
}

fn text(value: &Value) -> RedisResult<&str> {
    let Value::BulkString(text) = value else { return Err(unexpected()) };
    std::str::from_utf8(text).map_err(|_| unexpected())
}

/// A digest, which may be greater than a signed number.
fn unsigned(value: &Value) -> Option<u64> {
    text(value).ok()?.parse().ok()
}
