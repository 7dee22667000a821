//! Redis: the store of stateless origins. Knows the domain, the store's contract and the `redis` client.
//!
//! # Keys
//!
//! `N` is the topic's bucket; the braces make it the Cluster's hash tag, so that all keys of a bucket are in one slot
//! and a script may touch them together.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `lc:{bN}:t:<topic>` | hash | the topic, see below; never expires |
//! | `lc:{bN}:oM` | sorted set | part `M` of the outbox of the bucket: marked topics, scored by when the mark becomes overdue |
//! | `lc:{bN}:topics` | string | how many topics the bucket has |
//! | `lc:{bN}:nM` | sorted set | part `M` of the names of the bucket's topics, all with the score 0 |
//! | `lc:{bN}:d:<topic>` | hash | the topic, after its deletion is acknowledged; expires after a minute |
//! | `lc:{bN}:h:<topic>` | hash | the history of the topic: `h` or `d` with the number of an hour or day since 1970 that is over, and the value claimed last in it |
//! | `lc:{bN}:x:<topic>` | stream | the events of a feed, with the id `revision-0`: `e` is the epoch in which the event was appended, `t` when, `d` its data |
//! | `lc:{bN}:u:<topic>` | string | the address of a page |
//! | `lc:{bN}:f:<topic>` | hash | the fields of an entity, each with its value as JSON text |
//! | `lc:{bN}:lives` | sorted set | the names of entities that are to be deleted, scored by the time |
//! | `lc:{bN}:v:<site>` | hash | the different visitors of a site: `d` is the number of the day since 1970 whose visitors are in the sketch, `a` how many the days before had, added up, and the number of each of these days has how many that day had |
//! | `lc:{bN}:s:<site>` | string | the sketch (HyperLogLog) of the visitors of one day |
//! | `lc:{bN}:i:<topic>:<key>` | string | the first use of an idempotency key: the change as `write.lua` takes it, and the value, or `*` where a repetition gets the present value; expires after its lifetime. Of entities and feeds the key is `lc:{bN}:i:<length>:<topic>:<key>`, with the length of the topic's name; the record of an entity has a digest of the changes, and the epoch, the revision and the time of the change |
//! | `lc:{b0}:schema` | string | the version of this schema, see [`schema`] |
//! | `lc:{b0}:migrated` | string | the version to which all topics were complete at the last migration, see [`migration`] |
//! | `lc:{b0}:migrating` | string | held by the one process that brings what an older version has written to this version |
//! | `lc:{b0}:salt` | string | the number of the present day, and the secret with which its visitors are recognised; expires at the end of the day |
//! | `lc:{b0}:sweep` | string | until when the sweep is shut for all callers; if the node of `{b0}` does not answer in a Cluster, the same in another bucket |
//!
//! | field | holds |
//! |---|---|
//! | `v` `e` | value, epoch; of an entity, how many bytes the names and values of its fields have together |
//! | `r` `c` | revision up to which everything is acknowledged, and changes since: the revision is their sum |
//! | `p` | revision claimed last |
//! | `q` | revision claimed before `p`; 0 when there was none; `epoch-revision` when the epoch was another |
//! | `a` | revision acknowledged last |
//! | `s` `g` | when the topic was claimed last, and until when that claim has shut the gate |
//! | `n` | 2 if the topic is counted in `topics` and named in `nM`; 1 if it is only counted, 0 if it is deleted |
//! | `d` | the revision of the deletion; the topic is deleted if it equals the revision |
//! | `b` | the revision of the deletion after which the topic was created again: its history begins behind it |
//! | `h` | the hour of the last claim and the claimed value: see `recording.lua`; empty if the topic is deleted |
//! | `l` | of a feed: the id claimed last, `epoch-revision` |
//! | `k` | of a feed: the epochs before `e`, the last one first, each as `epoch:revision` with the last revision that belongs to it |
//! | `y` | of a feed: how long the data of its events are together |
//! | `m` | the master, by its replication id, under which `e` was drawn |
//!
//! Times are Redis's own (`TIME`), in milliseconds since 1970.
//!
//! A master that takes over, or starts again, may lack changes that the master before had answered. Then it uses the same
//! revisions for other changes. So each master has its own epochs: the first claim of a topic under another master draws a new
//! epoch, and no id is ever published with two values.
//!
//! A script writes only keys that are among its `KEYS`, because of slots that move; except for the number of topics and the names, which
//! scripts write like that outside of a Cluster only (see `counting_later.lua`), as `add_plain.lua` writes marks; and the hash of a deleted
//! topic, which can be at one node only.
//!
//! Outside of a Cluster, a batch is one call of a script; in a Cluster, one per bucket, all at the same time.

mod address;
mod addresses;
mod batch;
mod call;
mod cluster;
mod connection;
mod counting;
mod documents;
mod entity_rows;
mod feeds;
mod history;
mod hits;
mod keys;
mod kinds;
mod migration;
mod names;
mod outbox;
mod parameters;
mod prune;
mod ranking;
mod reply;
mod runner;
mod schema;
mod script;
mod sentinel;
mod topics;
mod topology;
mod uncounted;
mod url_error;
mod visitors;
mod wait;
mod write;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use redis::Cmd;

pub use address::describe;
use batch::BatchQuery;
use keys::KeyWriter;
use kinds::ByKind;
use runner::ScriptRunner;
use schema::SchemaCheck;
use uncounted::Uncounted;
pub use url_error::ParseRedisUrlError;
pub use wait::Wait;

use super::feeds::reading_of;
use super::{
    Body, Catalog, Claim, ClaimTerms, EntityQuery, FeedPage, Feeds, GRACE, History, Hit, HitWritten,
    LONGEST_LEASE, Missed, Outbox, Pruned, Reading, Store, StoreError, Values, Write, WriteError, Written,
    random,
};
use crate::domain::{Document, EntityKey, Epoch, EventId, Retention, Topic, Unit};

/// A Redis, or several behind Sentinels or as a Cluster. Each worker thread has its own store, with its own connection.
pub struct RedisStore(ScriptRunner);

impl RedisStore {
    /// A store that connects when it is first used, on the runtime it is used on. `timeout` is how long an answer may
    /// take; connecting may take another second.
    pub fn connect(url: &str, timeout: Duration) -> Result<Self, ParseRedisUrlError> {
        Ok(RedisStore(ScriptRunner {
            topology: address::parse(url, timeout)?,
            replicated: None,
            schema: SchemaCheck::default(),
            uncounted: Uncounted::default(),
            retention: Retention::default(),
        }))
    }

    /// A store that answers an addition only when replicas have it.
    pub fn connect_and_wait(url: &str, timeout: Duration, wait: Wait) -> Result<Self, ParseRedisUrlError> {
        let mut store = RedisStore::connect(url, timeout)?;
        store.0.replicated = Some((address::parse(url, timeout + wait.within)?, wait));
        Ok(store)
    }

    /// Keeps as much of the history of each topic as `retention` says.
    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.0.retention = retention;
        self
    }

    /// Brings the topics that an older version wrote to this version, unless all of them are complete. If another process is
    /// doing so, waits for that process. Returns how many topics this process has taken over. If the process is ended on the way,
    /// the next process begins again.
    pub async fn migrate(&self) -> Result<u64, StoreError> {
        migration::migrate(&self.0).await
    }

    /// Counts the topics that have not been claimed since `before` (in milliseconds since 1970) and of which nothing is left
    /// to announce; with `remove`, removes them. Each topic is looked at and removed in one atomic step.
    pub async fn prune(
        &self,
        before: u64,
        remove: bool,
        mut progress: impl FnMut(Pruned),
    ) -> Result<Pruned, StoreError> {
        // Topics that the version before has written have no time of their last claim until the migration.
        self.migrate().await?;
        prune::prune(&self.0, before, remove, &mut progress).await.map_err(StoreError::new)
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ask_one_node(keys::exists_sweep).await.map(|_| ()).map_err(StoreError::new)
    }
}

#[async_trait]
impl Values for RedisStore {
    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written, WriteError>> {
        let answers = self.write_all(&writes).await;
        if !self.0.topology.is_one() {
            let counts = |answer: &Result<Written, _>| {
                answer.as_ref().is_ok_and(|written| !written.replayed && (written.created || written.removed))
            };
            let changed = writes.into_iter().zip(&answers).filter(|(_, answer)| counts(answer));
            counting::count(&self.0, changed.map(|(write, _)| write.topic).collect()).await;
        }
        answers
    }

    async fn hit(&self, hits: Vec<Hit>) -> Vec<HitWritten> {
        hits::hit(&self.0, self, &hits).await
    }

    async fn read(&self, topics: Vec<Topic>) -> Vec<Result<Reading, StoreError>> {
        let Some(sorted) = ByKind::of(topics.iter()) else { return self.read_numbers(&topics).await };
        let pick = |indices: &[usize]| ByKind::pick(&topics, indices);
        let (numbers, entities, feeds) =
            (pick(&sorted.numbers), pick(&sorted.documents), pick(&sorted.feeds));
        // The state of a feed is read like that of a number; its events are read by `after` and `before`.
        let (numbers, documents, states) = tokio::join!(
            self.read_numbers(&numbers),
            documents::read(&self.0, &entities),
            self.read_numbers(&feeds)
        );
        let of_feed =
            |(feed, state): (&Topic, Result<Reading, _>)| state.map(|state| reading_of(feed, state));
        let feeds = feeds.iter().zip(states).map(of_feed).collect();
        sorted.ordered(numbers, documents, feeds)
    }
}

impl RedisStore {
    async fn read_numbers(&self, topics: &[Topic]) -> Vec<Result<Reading, StoreError>> {
        let query = BatchQuery { script: &script::READ, keys_per_topic: 1, decode: reply::reading };
        let write = |command: &mut Cmd, chunk: &[usize]| {
            let mut keys = KeyWriter::default();
            chunk.iter().for_each(|&index| keys.topic(command, &topics[index]));
        };
        query.ask(&self.0, topics, write).await
    }

    /// Changes topics of all kinds.
    async fn write_all(&self, writes: &[Write]) -> Vec<Result<Written, WriteError>> {
        let Some(sorted) = ByKind::of(writes.iter().map(|write| &write.topic)) else {
            return write::write(&self.0, writes).await;
        };
        let numbers = ByKind::pick(writes, &sorted.numbers);
        let entities = ByKind::pick(writes, &sorted.documents);
        let feeds: Vec<&Write> = sorted.feeds.iter().map(|&index| &writes[index]).collect();
        let (numbers, documents, feeds) = tokio::join!(
            write::write(&self.0, &numbers),
            documents::write(&self.0, &entities),
            feeds::write(&self.0, &feeds)
        );
        sorted.ordered(numbers, documents, feeds)
    }

    /// Claims the changes of topics that hold numbers. The second part of an answer says whether `count.lua` must count the topic.
    async fn claim_numbers(
        &self,
        topics: &[Topic],
        terms: ClaimTerms,
        epoch: Epoch,
    ) -> Vec<Result<(Claim, bool), StoreError>> {
        let retention = self.0.retention;
        let keys_per_topic = if retention.keeps_any() { 3 } else { 2 };
        let query = BatchQuery { script: &script::CLAIM, keys_per_topic, decode: reply::claim };
        let write = |command: &mut Cmd, chunk: &[usize]| {
            let mut keys = KeyWriter::default();
            for &index in chunk {
                keys.topic_and_outbox(command, &topics[index]);
                if retention.keeps_any() {
                    keys.history(command, &topics[index]);
                }
            }
            command.arg(terms.interval.as_millis() as u64).arg(terms.lease.as_millis() as u64);
            command.arg(epoch.get()).arg(LONGEST_LEASE.as_millis() as u64).arg(GRACE.as_millis() as u64);
            command.arg(retention.hours).arg(retention.days);
        };
        query.ask(&self.0, topics, write).await
    }

    /// Claims the changes of topics of all kinds.
    async fn claim_all(
        &self,
        topics: &[Topic],
        terms: ClaimTerms,
        epoch: Epoch,
    ) -> Vec<Result<(Claim, bool), StoreError>> {
        let Some(sorted) = ByKind::of(topics.iter()) else {
            return self.claim_numbers(topics, terms, epoch).await;
        };
        let numbers = ByKind::pick(topics, &sorted.numbers);
        let entities = ByKind::pick(topics, &sorted.documents);
        let feeds = ByKind::pick(topics, &sorted.feeds);
        let (numbers, documents, feeds) = tokio::join!(
            self.claim_numbers(&numbers, terms, epoch),
            documents::claim(&self.0, &entities, terms, epoch),
            feeds::claim(&self.0, &feeds, terms)
        );
        sorted.ordered(numbers, documents, feeds)
    }
}

#[async_trait]
impl Outbox for RedisStore {
    async fn claim(&self, topics: Vec<Topic>, terms: ClaimTerms) -> Vec<Result<Claim, StoreError>> {
        let epoch = match random::epoch() {
            Ok(epoch) => epoch,
            Err(error) => return vec![Err(StoreError::new(error)); topics.len()],
        };
        let answers = self.claim_all(&topics, terms, epoch).await;
        let uncounted = topics.into_iter().zip(&answers);
        let uncounted = uncounted.filter(|(_, answer)| matches!(answer, Ok((_, true))));
        counting::count(&self.0, uncounted.map(|(topic, _)| topic).collect()).await;
        answers.into_iter().map(|answer| answer.map(|(claim, _)| claim)).collect()
    }

    async fn acknowledge(&self, claims: Vec<(Topic, EventId)>) -> Result<(), StoreError> {
        outbox::acknowledge(&self.0, &claims).await.map_err(StoreError::new)
    }

    async fn overdue(&self, limit: usize, pause: Duration) -> Result<Vec<Topic>, StoreError> {
        if !outbox::open_sweep(&self.0, pause).await.map_err(StoreError::new)? {
            return Ok(Vec::new());
        }
        let mut topics = documents::end_lives(&self.0, limit).await.map_err(StoreError::new)?;
        if !self.0.topology.is_one() {
            counting::count(&self.0, topics.clone()).await;
        }
        topics.extend(outbox::overdue(&self.0, limit).await.map_err(StoreError::new)?);
        topics.truncate(limit);
        Ok(topics)
    }

    async fn outbox_len(&self) -> Result<u64, StoreError> {
        outbox::len(&self.0).await.map_err(StoreError::new)
    }
}

#[async_trait]
impl Feeds for RedisStore {
    async fn after(&self, feed: &Topic, seen: EventId) -> Result<Missed, StoreError> {
        feeds::after(&self.0, feed, seen).await.map_err(StoreError::new)
    }

    async fn before(
        &self,
        feed: &Topic,
        revision: Option<u64>,
        limit: usize,
    ) -> Result<FeedPage, StoreError> {
        feeds::before(&self.0, feed, revision, limit).await.map_err(StoreError::new)
    }
}

#[async_trait]
impl Catalog for RedisStore {
    async fn topic_count(&self) -> Result<u64, StoreError> {
        counting::count_waiting(&self.0).await;
        topics::count(&self.0).await.map_err(StoreError::new)
    }

    async fn entities(&self, query: &EntityQuery) -> Result<Vec<(EntityKey, Document)>, StoreError> {
        let found = entity_rows::topics(&self.0, query).await.map_err(StoreError::new)?;
        if let Some(fields) = &query.fields {
            return entity_rows::read(&self.0, found, fields).await;
        }
        let (topics, keys): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let documents = self.read(topics).await.into_iter().zip(keys).filter_map(|(reading, key)| {
            let document = reading.map(|reading| match reading.body {
                Body::Document(document) => Some((key, Document::clone(&document))),
                _ => None,
            });
            document.transpose()
        });
        documents.collect()
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&Topic>,
        limit: usize,
    ) -> Result<Vec<(Topic, Reading)>, StoreError> {
        let (mut after, mut listed) = (after.cloned(), Vec::new());
        loop {
            let missing = limit - listed.len();
            let found =
                names::after(&self.0, prefix, after.as_ref(), missing).await.map_err(StoreError::new)?;
            let (is_end, last) = (found.len() < missing, found.last().cloned());
            let readings = self.read(found.clone()).await;
            for (topic, reading) in found.into_iter().zip(readings) {
                // A name can be left of a topic that an older version has pruned. A topic can also be deleted between the two
                // calls.
                let reading = reading?;
                if reading.body != Body::Gone {
                    listed.push((topic, reading));
                }
            }
            if is_end || listed.len() >= limit {
                return Ok(listed);
            }
            after = last;
        }
    }

    async fn keep_address(&self, page: &Topic, address: &str) -> Result<(), StoreError> {
        addresses::keep(&self.0, page, address).await.map_err(StoreError::new)
    }

    async fn addresses(&self, pages: &[Topic]) -> Result<Vec<Option<String>>, StoreError> {
        addresses::read(&self.0, pages).await.map_err(StoreError::new)
    }

    async fn top(&self, prefix: &str, limit: usize) -> Result<Vec<(Topic, i64)>, StoreError> {
        ranking::top(&self.0, prefix, limit).await.map_err(StoreError::new)
    }

    async fn history(&self, topic: &Topic, unit: Unit, last: u16) -> Result<History, StoreError> {
        history::read(&self.0, topic, unit, last).await.map_err(StoreError::new)
    }
}

/// Leaves out the URL, which may hold a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisStore")
    }
}
