//! What the thread that reads is asked, and how it answers.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::committed_topics::CommittedTopics;
use super::read_only_file::ReadOnlyFile;
use super::topic::TopicState;
use crate::domain::{Document, EntityKey, FeedEvent, Past, Point, Topic, Unit};
use crate::store::feeds::{FeedState, reading_of};
use crate::store::{Body, EntityQuery, Reading, StoreError, Uniques};

pub(super) type Readings = Vec<Result<Reading, StoreError>>;
/// The state of a topic, and the points of its history, as the file has them.
pub(super) type SavedHistory = Result<(Option<TopicState>, Vec<Point>), StoreError>;
pub(super) type SavedPasts = Result<Vec<(Option<TopicState>, Past)>, StoreError>;
pub(super) type Ranking = Result<Vec<(Topic, i64)>, StoreError>;
pub(super) type Listed = Result<Vec<(Topic, Reading)>, StoreError>;

/// A command for the thread that reads, with the sender of its answer.
pub(super) enum ReadRequest {
    Read(Vec<Topic>, oneshot::Sender<Readings>),
    History(Topic, Unit, oneshot::Sender<SavedHistory>),
    Pasts(Vec<Topic>, oneshot::Sender<SavedPasts>),
    Addresses(Vec<Topic>, oneshot::Sender<Result<Vec<Option<String>>, StoreError>>),
    /// When the lives of entities end.
    Ends(Vec<Topic>, oneshot::Sender<Result<Vec<Option<u64>>, StoreError>>),
    Feed(FeedRequest, oneshot::Sender<FeedAnswer>),
    Top(String, usize, oneshot::Sender<Ranking>),
    /// The number is that of the present day.
    Uniques(Topic, i64, oneshot::Sender<Result<Uniques, StoreError>>),
    /// At most as many entities as the query says, whatever memory they take.
    Entities(EntityQuery, oneshot::Sender<Result<EntityStep, StoreError>>),
    List {
        prefix: String,
        after: String,
        limit: usize,
        answer: oneshot::Sender<Listed>,
    },
}

/// Some entities of a query.
pub(super) struct EntityStep {
    pub(super) entities: Vec<(EntityKey, Document)>,
    /// Up to which entity the file was looked through; `None` if there are no more.
    pub(super) last: Option<EntityKey>,
}

/// Which events of a feed are read.
pub(super) struct FeedRequest {
    pub(super) feed: Topic,
    pub(super) part: FeedPart,
}

/// A part of the events of a feed, up to its last claim unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum FeedPart {
    /// All events behind this revision, the oldest first.
    After(u64),
    /// So many of the last events before a revision, the newest first.
    Before(Option<u64>, usize),
    /// So many of the first events behind a revision, claimed or not, the oldest first.
    All(u64, usize),
}

/// The state of a feed, and the events.
pub(super) type FeedAnswer = Result<(FeedState, Vec<FeedEvent>), StoreError>;

/// Answers a request. The caller may have stopped waiting, so a failure to send is ignored.
pub(super) fn serve(file: &ReadOnlyFile, committed: &CommittedTopics, request: ReadRequest) {
    match request {
        ReadRequest::Read(topics, answer) => {
            let _ = answer.send(topics.iter().map(|topic| read(file, committed, topic)).collect());
        }
        ReadRequest::History(topic, unit, answer) => {
            // The state is read first: if the writer completes an hour between the two, the history has that hour.
            let saved = file.load(&topic).and_then(|state| Ok((state, file.history(&topic, unit)?)));
            let _ = answer.send(saved.map_err(StoreError::new));
        }
        ReadRequest::Pasts(topics, answer) => {
            let saved: rusqlite::Result<_> = topics.iter().map(|topic| read_past(file, topic)).collect();
            let _ = answer.send(saved.map_err(StoreError::new));
        }
        ReadRequest::Addresses(pages, answer) => {
            let found: rusqlite::Result<_> = pages.iter().map(|page| file.address(page)).collect();
            let _ = answer.send(found.map_err(StoreError::new));
        }
        ReadRequest::Ends(entities, answer) => {
            let found: rusqlite::Result<_> = entities.iter().map(|entity| file.ends(entity)).collect();
            let _ = answer.send(found.map_err(StoreError::new));
        }
        ReadRequest::Feed(request, answer) => {
            let _ = answer.send(read_feed(file, committed, &request).map_err(StoreError::new));
        }
        ReadRequest::Top(prefix, limit, answer) => {
            let _ = answer.send(file.top(&prefix, limit).map_err(StoreError::new));
        }
        ReadRequest::Uniques(site, day, answer) => {
            let kept = committed.retention().days;
            let _ = answer.send(file.uniques(&site, day, kept).map_err(StoreError::new));
        }
        ReadRequest::Entities(query, answer) => {
            let _ = answer.send(entities(file, committed, &query));
        }
        ReadRequest::List { prefix, after, limit, answer } => {
            let _ = answer.send(list(file, committed, &prefix, &after, limit));
        }
    }
}

/// The state of a topic and its past, in this order: see [`ReadRequest::History`].
fn read_past(file: &ReadOnlyFile, topic: &Topic) -> rusqlite::Result<(Option<TopicState>, Past)> {
    let state = file.load(topic)?;
    let past = Past { hours: file.history(topic, Unit::Hour)?, days: file.history(topic, Unit::Day)? };
    Ok((state, past))
}

fn read_feed(
    file: &ReadOnlyFile,
    committed: &CommittedTopics,
    request: &FeedRequest,
) -> rusqlite::Result<(FeedState, Vec<FeedEvent>)> {
    let FeedRequest { feed, part } = request;
    // The file has all events that the state counts, as the writer commits them before it changes the state in memory.
    let state = match committed.recall(feed) {
        Some(state) => state,
        None => file.load(feed)?.unwrap_or_default(),
    };
    let Reading { id, published, .. } = state.reading();
    // The value of a feed is how many events were appended since its last deletion.
    let begun = id.revision.saturating_sub(state.value.unsigned_abs());
    let events = match *part {
        FeedPart::After(seen) => file.feeds().after(feed, id.epoch, seen, published.revision, usize::MAX)?,
        FeedPart::All(seen, limit) => file.feeds().after(feed, id.epoch, seen, id.revision, limit)?,
        FeedPart::Before(revision, limit) => {
            let end = revision.unwrap_or(u64::MAX).min(published.revision + 1);
            file.feeds().before(feed, id.epoch, end, limit)?
        }
    };
    let now = committed.now().unsigned_abs();
    let state =
        FeedState { now, epoch: id.epoch, revision: id.revision, published, begun, former: Vec::new() };
    Ok((state, events))
}

/// The topics of the file with their readings. The fields of entities are as committed last, so they may be newer than the list.
fn list(file: &ReadOnlyFile, committed: &CommittedTopics, prefix: &str, after: &str, limit: usize) -> Listed {
    let (mut listed, mut after) = (Vec::new(), after.to_owned());
    loop {
        let missing = limit - listed.len();
        let found = file.list(prefix, &after, missing).map_err(StoreError::new)?;
        let is_end = found.len() < missing;
        for (topic, state) in found {
            let recalled = || committed.reading(&topic);
            let reading =
                match (!topic.is_entity()).then(|| reading_of(&topic, state.reading())).or_else(recalled) {
                    Some(reading) => reading,
                    None => read_document(file, committed, &topic)?,
                };
            topic.name().clone_into(&mut after);
            // An entity can be deleted between the two steps.
            if reading.body != Body::Gone {
                listed.push((topic, reading));
            }
        }
        if is_end || listed.len() >= limit {
            return Ok(listed);
        }
    }
}

/// Some entities of the file, with their fields as committed last.
fn entities(
    file: &ReadOnlyFile,
    committed: &CommittedTopics,
    query: &EntityQuery,
) -> Result<EntityStep, StoreError> {
    let named = file.entities(query).map_err(StoreError::new)?;
    let last = named.last().filter(|_| named.len() == query.limit).map(|(_, key)| key.clone());
    let mut entities = Vec::with_capacity(named.len());
    for (topic, key) in named {
        let recalled = committed.reading(&topic);
        let reading = recalled.map_or_else(|| read_document(file, committed, &topic), Ok)?;
        // An entity can be deleted between the two steps.
        if let Body::Document(document) = reading.body {
            entities.push((key, query.needed(&document)));
        }
    }
    Ok(EntityStep { entities, last })
}

/// Reads an entity from the file, in which claims may be missing that are in memory.
fn read_document(
    file: &ReadOnlyFile,
    committed: &CommittedTopics,
    topic: &Topic,
) -> Result<Reading, StoreError> {
    // The state in memory is taken first, so that the file is not older than that.
    let (recalled, times_forgotten) = (committed.recall(topic), committed.times_forgotten());
    let (state, document) = file.load_document(topic).map_err(StoreError::new)?;
    let mut reading = state.reading();
    if reading.body != Body::Gone {
        committed.documents.put(topic, reading.id, Arc::clone(&document));
        reading.body = Body::Document(document);
    }
    match recalled {
        Some(recalled) => reading.published = recalled.reading().published,
        None => committed.add_read(topic, state, times_forgotten),
    }
    Ok(reading)
}

fn read(file: &ReadOnlyFile, committed: &CommittedTopics, topic: &Topic) -> Result<Reading, StoreError> {
    if topic.is_entity() {
        return read_document(file, committed, topic);
    }
    let times_forgotten = committed.times_forgotten();
    let state = file.load(topic).map_err(StoreError::new)?.unwrap_or_default();
    committed.add_read(topic, state, times_forgotten);
    Ok(reading_of(topic, state.reading()))
}
