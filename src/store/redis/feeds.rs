//! The events of feeds: one call of a script for all claims of a batch, and one for each reading.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, RedisResult, Value};

use super::batch::BatchQuery;
use super::keys::KeyWriter;
use super::reply::{number, text, unexpected};
use super::runner::ScriptRunner;
use super::script;
use crate::domain::{Epoch, EventId, FeedEvent, JsonText, Topic};
use crate::store::feeds::FeedState;
use crate::store::{
    Announcement, Body, Claim, ClaimTerms, FeedPage, GRACE, KeptEvents, LONGEST_LEASE, Missed, StoreError,
};

/// The most events that a page has.
const MOST_READ: usize = 100_000;

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

/// The first `limit` events behind a revision, claimed or not.
pub(super) async fn kept(
    runner: &ScriptRunner,
    feed: &Topic,
    revision: u64,
    limit: usize,
) -> RedisResult<KeptEvents> {
    let (state, events) = read(runner, feed, "all", revision, limit.min(MOST_READ)).await?;
    Ok(state.kept(events, runner.retention.feeds))
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
        keys.rest(command, feed);
        command.arg(direction).arg(revision.min(1 << 53)).arg(most);
    };
    let Value::Array(parts) = runner.run(feed.bucket(), &script::FEED, 3, write).await? else {
        return Err(unexpected());
    };
    let [now, epoch, revision, claimed, begun, former, entries] = parts.as_slice() else {
        return Err(unexpected());
    };
    let state = FeedState {
        now: number(now)?,
        epoch: if text(epoch)?.is_empty() { Epoch::NONE } else { Epoch::new(number(epoch)?) },
        revision: number(revision)?,
        published: published(claimed)?,
        begun: number(begun)?,
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
