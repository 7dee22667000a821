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
//! | `lc:{bN}:c:<topic>` | string | the value of a counter in the direct form, plus 2^40: see `direct.lua`; not in a Cluster |
//! | `lc:{bN}:f:<topic>` | hash | the fields of an entity, each with its value as JSON text |
//! | `lc:{bN}:lives` | sorted set | the names of entities that are to be deleted, scored by the time |
//! | `lc:{bN}:v:<site>` | hash | the different visitors of a site: `d` is the number of the day since 1970 whose visitors are in the sketch, `a` how many the days before had, added up, and the number of each of these days has how many that day had |
//! | `lc:{bN}:s:<site>` | string | the sketch (HyperLogLog) of the visitors of one day |
//! | `lc:{bN}:i:<topic>:<key>` | string | the first use of an idempotency key: the change as `write.lua` takes it, and the value, or `*` where a repetition gets the present value; expires after its lifetime. Of entities and feeds the key is `lc:{bN}:i:<length>:<topic>:<key>`, with the length of the topic's name; the record of an entity has a digest of the changes, and the epoch, the revision and the time of the change |
//! | `lc:{b0}:w:<period>` | set | the keys that one process has made for new visitors in a short time, without the name of the period and with the last characters of the page's name; not in a Cluster; expires when all of its keys may be forgotten |
//! | `lc:{b0}:schema` | string | the version of this schema, see [`schema`] |
//! | `lc:{b0}:migrated` | string | the version to which all topics were complete at the last migration, see [`migration`] |
//! | `lc:{b0}:migrating` | string | held by the one process that brings what an older version has written to this version |
//! | `lc:{b0}:salt` | string | the number of the present day, and the secret with which its visitors are recognised; expires at the end of the day |
//! | `lc:{b0}:sweep` | string | until when the sweep is shut for all callers; if the node of `{b0}` does not answer in a Cluster, the same in another bucket |
//!
//! | field | holds |
//! |---|---|
//! | `v` `e` | value, epoch; of an entity, how many bytes the names and values of its fields have together; of a counter in the direct form `v` is `@` and the value with which it got this form |
//! | `r` `c` | revision up to which everything is acknowledged, and changes since: the revision is their sum |
//! | `p` | revision claimed last |
//! | `q` | revision claimed before `p`; 0 when there was none; `epoch-revision` when the epoch was another |
//! | `a` | revision acknowledged last |
//! | `s` `g` | when the topic was claimed last, and until when that claim has shut the gate |
//! | `n` | 2 if the topic is counted in `topics` and named in `nM`; 1 if it is only counted, 0 if it is deleted |
//! | `d` | the revision of the deletion; the topic is deleted if it equals the revision |
//! | `b` | the revision of the deletion after which the topic was created again: its history begins behind it |
//! | `h` | the hour of the last claim and the claimed value: see `recording.lua`; empty if the topic is deleted |
//! | `l` | of a feed: the id claimed last, `epoch-revision`; versions before do not write it, so what they have claimed is claimed again |
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
//! scripts write like that outside of a Cluster only (see `counting_later.lua`), as `add_plain.lua` writes marks; the hash of a deleted
//! topic, and the value of a counter in the direct form, which can be at one node only.
//!
//! Outside of a Cluster, a batch is one call of a script; in a Cluster, one per bucket, all at the same time.

mod address;
mod addresses;
mod batch;
mod call;
mod catalog;
mod changes;
mod cluster;
mod combined;
mod connection;
mod counting;
mod direct;
mod document_items;
mod documents;
mod entity_rows;
mod eviction;
mod feed_items;
mod feeds;
mod history;
mod hit_call;
mod hit_key_place;
mod hits;
mod keys;
mod kinds;
mod merges;
mod migration;
mod names;
mod numbers;
mod outbox;
mod packed;
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

pub use address::describe;
pub use direct::DirectCounters;
use runner::ScriptRunner;
use schema::SchemaCheck;
use uncounted::Uncounted;
pub use url_error::ParseRedisUrlError;
pub use wait::Wait;

use super::{
    Claim, ClaimTerms, FeedPage, Feeds, Hit, HitWritten, KeptEvents, Missed, Outbox, Pruned, Reading, Store,
    StoreError, Values, Write, WriteError, Written, random,
};
use crate::domain::{EventId, Retention, Topic};

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
            direct: DirectCounters::default(),
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

    /// Shares with other stores of this process on the same Redis which counters have the direct form. Without this, more additions find out by their
    /// answers.
    #[must_use]
    pub fn with_direct_counters(mut self, direct: &DirectCounters) -> Self {
        self.0.direct = direct.clone();
        self
    }

    /// Brings the topics that an older version wrote to this version, unless all of them are complete. If another process is
    /// doing so, waits for that process. Returns how many topics this process has taken over. If the process is ended on the way,
    /// the next process begins again.
    pub async fn migrate(&self) -> Result<u64, StoreError> {
        migration::migrate(&self.0).await
    }

    /// The values of `maxmemory-policy` by which servers would remove keys of this service when their memory is full; none if no server would. An error
    /// if the service's user may not call `INFO`.
    pub async fn evicting_policies(&self) -> Result<Vec<String>, StoreError> {
        eviction::policies(&self.0.topology).await.map_err(StoreError::new)
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
        self.0.ask_one_node(keys::write_nothing).await.map(|_| ()).map_err(StoreError::new)
    }
}

#[async_trait]
impl Values for RedisStore {
    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written, WriteError>> {
        let answers = kinds::write(&self.0, &writes).await;
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
        kinds::read(&self.0, &topics).await
    }
}

#[async_trait]
impl Outbox for RedisStore {
    async fn claim(&self, topics: Vec<Topic>, terms: ClaimTerms) -> Vec<Result<Claim, StoreError>> {
        let epoch = match random::epoch() {
            Ok(epoch) => epoch,
            Err(error) => return vec![Err(StoreError::new(error)); topics.len()],
        };
        let answers = kinds::claim(&self.0, &topics, terms, epoch).await;
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

    async fn kept(&self, feed: &Topic, revision: u64, limit: usize) -> Result<KeptEvents, StoreError> {
        feeds::kept(&self.0, feed, revision, limit).await.map_err(StoreError::new)
    }
}

/// Leaves out the URL, which may hold a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisStore")
    }
}
