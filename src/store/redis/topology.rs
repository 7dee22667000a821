//! Where commands are sent: to one Redis, or to the nodes of a Cluster.

use std::sync::Arc;

use redis::{Cmd, Pipeline, RedisResult, Value};

use super::call::Call;
use super::cluster::Cluster;
use super::connection::RedisConnection;
use super::reply;
use super::script::{self, Script};
use super::wait::Wait;
use crate::domain::{BUCKETS, Topic};

/// The servers of one store.
pub(super) enum Topology {
    /// One Redis has all buckets.
    One(Arc<RedisConnection>),
    /// Each bucket is on one of several nodes.
    Cluster(Box<Cluster>),
}

impl Topology {
    /// Whether one server has all buckets, so that one call may touch keys of several of them.
    pub(super) fn is_one(&self) -> bool {
        matches!(self, Topology::One(_))
    }

    /// Every node that holds topics.
    pub(super) async fn nodes(&self) -> RedisResult<Vec<Arc<RedisConnection>>> {
        match self {
            Topology::One(connection) => Ok(vec![Arc::clone(connection)]),
            Topology::Cluster(cluster) => cluster.masters().await,
        }
    }

    /// Sends a command. In a Cluster all of its keys must be in `bucket`.
    pub(super) async fn send(&self, bucket: u16, call: Call<'_>) -> RedisResult<Value> {
        match self {
            Topology::One(connection) => connection.send(call).await,
            Topology::Cluster(cluster) => cluster.send(bucket, call).await,
        }
    }

    /// Sends commands at once to the one server that has all buckets. There is an answer for each of them. The nodes of a Cluster refuse a pipeline.
    pub(super) async fn send_all(&self, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        match self {
            Topology::One(connection) => connection.send_all(pipeline).await,
            Topology::Cluster(_) => Err(reply::unexpected()),
        }
    }

    /// Runs a script. In a Cluster all of its keys must be in `bucket`. `write` appends keys and arguments.
    pub(super) async fn run(
        &self,
        wait: Option<Wait>,
        bucket: u16,
        script: &Script,
        keys: usize,
        write: impl Fn(&mut Cmd),
    ) -> RedisResult<Value> {
        let send = async |command: &Cmd| self.send(bucket, Call { wait, ..Call::of(command) }).await;
        let mut command = script.by_hash(keys, self.is_one());
        write(&mut command);
        let mut answer = send(&command).await;
        if answer.as_ref().is_err_and(|error| script.may_repeat(error)) {
            answer = send(&command).await;
        }
        if answer.as_ref().is_err_and(script::is_unknown) {
            command = script.by_source(keys, self.is_one());
            write(&mut command);
            answer = send(&command).await;
        }
        answer
    }

    /// The indices of topics whose keys one call may touch together, in order.
    pub(super) fn groups<'a>(&self, topics: impl Iterator<Item = &'a Topic>) -> Vec<Vec<usize>> {
        if self.is_one() {
            return vec![(0..topics.count()).collect()];
        }
        let mut groups = vec![Vec::new(); usize::from(BUCKETS)];
        for (index, topic) in topics.enumerate() {
            groups[usize::from(topic.bucket())].push(index);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }

    /// Cuts a list of buckets into those that one call may touch together.
    pub(super) fn bucket_groups<'a>(&self, buckets: &'a [u16]) -> std::slice::Chunks<'a, u16> {
        buckets.chunks(if self.is_one() { buckets.len() } else { 1 })
    }
}
