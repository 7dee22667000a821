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
//! | `lc:{bN}:i:<topic>:<key>` | string | `amount value` of an idempotency key's first use; expires after its lifetime |
//! | `lc:{b0}:schema` | string | the version of all this, see [`schema`] |
//! | `lc:{b0}:migrating` | string | held by the one process that brings what an older version wrote to this one |
//! | `lc:{b0}:sweep` | string | until when the sweep is shut for all callers; in a Cluster whose node of `{b0}` is away, the same in another bucket |
//!
//! | field | holds |
//! |---|---|
//! | `v` `e` | value, epoch |
//! | `r` `c` | revision up to which everything is acknowledged, and changes since: the revision is their sum |
//! | `p` | revision claimed last |
//! | `q` | revision claimed before `p`; 0 when there was none; `epoch-revision` when the epoch was another |
//! | `a` | revision acknowledged last |
//! | `s` `g` | when it was claimed last, and until when the gate has been shut behind that |
//! | `n` | 1 where the topic is counted in `topics` |
//! | `m` | the master, by its replication id, under which `e` was drawn |
//!
//! Times are Redis's own (`TIME`), in milliseconds since 1970.
//!
//! A master that takes over, or starts again, may know less than the one before had answered: revisions are given away once
//! more. So each has its own epochs: the first claim of a topic under another master draws a new one, and no id is ever
//! published with two values.
//!
//! Outside of a Cluster, a batch is one call of a script; in a Cluster, one per bucket, all at the same time.

mod add;
mod address;
mod batch;
mod call;
mod cluster;
mod connection;
mod keys;
mod outbox;
mod parameters;
mod prune;
mod reply;
mod schema;
mod script;
mod sentinel;
mod topics;
mod wait;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value};

use address::Topology;
pub use address::{ParseRedisUrlError, describe};
use batch::BatchQuery;
use call::Call;
use connection::Connection;
use keys::KeyWriter;
use schema::SchemaCheck;
use script::Script;
pub use wait::Wait;

use super::{Add, AddError, Added, Claim, GRACE, LONGEST_LEASE, Reading, Store, StoreError, Terms, random};
use crate::domain::{EventId, Topic};

/// A Redis, or several behind Sentinels or as a Cluster. Each worker has its own, with its own connection.
pub struct RedisStore {
    topology: Topology,
    /// Where additions go that replicas must have: over connections of their own, as those wait.
    replicated: Option<(Topology, Wait)>,
    schema: SchemaCheck,
}

impl RedisStore {
    /// A store that connects when it is first used, on the runtime it is used on. `timeout` is how long an answer may
    /// take; connecting may take another second.
    pub fn connect(url: &str, timeout: Duration) -> Result<Self, ParseRedisUrlError> {
        Ok(RedisStore {
            topology: address::parse(url, timeout)?,
            replicated: None,
            schema: SchemaCheck::default(),
        })
    }

    /// Calls an addition counted only when replicas have it.
    pub fn connect_and_wait(url: &str, timeout: Duration, wait: Wait) -> Result<Self, ParseRedisUrlError> {
        let replicated = Some((address::parse(url, timeout + wait.within)?, wait));
        Ok(RedisStore { replicated, ..RedisStore::connect(url, timeout)? })
    }

    /// Runs a script whose keys are all in `bucket`, or anywhere outside of a Cluster.
    async fn run(
        &self,
        bucket: u16,
        script: &Script,
        keys: usize,
        write: impl Fn(&mut Cmd),
    ) -> RedisResult<Value> {
        self.check_schema().await?;
        run_on(&self.topology, None, bucket, script, keys, write).await
    }

    /// The same for a script that counts, which replicas may have to have.
    async fn count(
        &self,
        bucket: u16,
        script: &Script,
        keys: usize,
        write: impl Fn(&mut Cmd),
    ) -> RedisResult<Value> {
        self.check_schema().await?;
        match &self.replicated {
            Some((topology, wait)) => run_on(topology, Some(*wait), bucket, script, keys, write).await,
            None => run_on(&self.topology, None, bucket, script, keys, write).await,
        }
    }
}

async fn run_on(
    topology: &Topology,
    wait: Option<Wait>,
    bucket: u16,
    script: &Script,
    keys: usize,
    write: impl Fn(&mut Cmd),
) -> RedisResult<Value> {
    let send = async |command: &Cmd| topology.send(bucket, Call { wait, ..Call::of(command) }).await;
    let mut command = script.by_hash(keys);
    write(&mut command);
    let mut answer = send(&command).await;
    if answer.as_ref().is_err_and(|error| script.may_repeat(error)) {
        answer = send(&command).await;
    }
    if answer.as_ref().is_err_and(script::is_unknown) {
        command = script.by_source(keys);
        write(&mut command);
        answer = send(&command).await;
    }
    answer
}

impl Topology {
    /// Every node that holds topics.
    async fn nodes(&self) -> RedisResult<Vec<Arc<Connection>>> {
        match self {
            Topology::One(connection) => Ok(vec![Arc::clone(connection)]),
            Topology::Cluster(cluster) => cluster.masters().await,
        }
    }

    /// Sends a command whose keys are all in `bucket`, or anywhere outside of a Cluster.
    async fn send(&self, bucket: u16, call: Call<'_>) -> RedisResult<Value> {
        match self {
            Topology::One(connection) => connection.send(call).await,
            Topology::Cluster(cluster) => cluster.send(bucket, call).await,
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn add(&self, adds: Vec<Add>) -> Vec<Result<Added, AddError>> {
        let groups = self.groups(adds.iter().map(|add| &add.topic));
        if let [group] = groups.as_slice() {
            return self.add_group(&adds, group).await;
        }
        let answers = join_all(groups.iter().map(|group| self.add_group(&adds, group))).await;
        batch::ungroup(&groups, answers)
    }

    async fn read(&self, topics: Vec<Topic>) -> Vec<Result<Reading, StoreError>> {
        let question = BatchQuery { script: &script::READ, keys_per_topic: 1, decode: reply::reading };
        let write = |command: &mut Cmd, chunk: &[usize]| {
            let mut keys = KeyWriter::default();
            chunk.iter().for_each(|&index| keys.topic(command, &topics[index]));
        };
        self.ask(&question, &topics, write).await
    }

    async fn claim(&self, topics: Vec<Topic>, terms: Terms) -> Vec<Result<Claim, StoreError>> {
        let question = BatchQuery { script: &script::CLAIM, keys_per_topic: 2, decode: reply::claim };
        let epoch = match random::epoch() {
            Ok(epoch) => epoch.get(),
            Err(error) => return vec![Err(StoreError::new(error)); topics.len()],
        };
        let write = |command: &mut Cmd, chunk: &[usize]| {
            let mut keys = KeyWriter::default();
            chunk.iter().for_each(|&index| keys.topic_and_outbox(command, &topics[index]));
            command.arg(terms.interval.as_millis() as u64).arg(terms.lease.as_millis() as u64);
            command.arg(epoch).arg(LONGEST_LEASE.as_millis() as u64).arg(GRACE.as_millis() as u64);
        };
        self.ask(&question, &topics, write).await
    }

    async fn acknowledge(&self, claims: Vec<(Topic, EventId)>) -> Result<(), StoreError> {
        self.unmark(&claims).await.map_err(StoreError::new)
    }

    async fn overdue(&self, limit: usize, pause: Duration) -> Result<Vec<Topic>, StoreError> {
        if !self.open_sweep(pause).await.map_err(StoreError::new)? {
            return Ok(Vec::new());
        }
        self.sweep(limit).await.map_err(StoreError::new)
    }

    async fn outbox_len(&self) -> Result<u64, StoreError> {
        self.count_marks().await.map_err(StoreError::new)
    }

    async fn topic_count(&self) -> Result<u64, StoreError> {
        self.count_topics().await.map_err(StoreError::new)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ask_one_node(keys::exists_sweep).await.map(|_| ()).map_err(StoreError::new)
    }
}

/// Says nothing of the URL, which may hold a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisStore")
    }
}
