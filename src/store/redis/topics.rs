//! Which topics there are: how many, and one after the other.

use std::sync::Arc;

use futures_util::future::join_all;
use redis::{RedisResult, Value};

use super::address::Topology;
use super::connection::Connection;
use super::keys::{self, KeyWriter};
use super::script::{self, Script};
use super::{RedisStore, outbox, reply};
use crate::domain::{BUCKETS, Topic};

/// How many keys Redis looks at in one step of a walk: it serves nobody else meanwhile.
const STEP: usize = 500;

/// Where a walk through a node begins, and where it has ended.
const START: &[u8] = b"0";

/// Goes through all topics on all nodes, some at a time; some come twice. One that comes or goes meanwhile, or whose slot
/// moves to another node of a Cluster, may be missed.
pub(super) struct Walk {
    /// Those that are still to be asked; the last one first.
    nodes: Vec<Arc<Connection>>,
    cursor: Vec<u8>,
}

impl Walk {
    /// Some more topics, perhaps none; `None` at the end.
    pub(super) async fn next(&mut self) -> RedisResult<Option<Vec<Topic>>> {
        let Some(node) = self.nodes.last() else { return Ok(None) };
        let mut command = redis::cmd("SCAN");
        command.arg(&self.cursor).arg("MATCH").arg(keys::TOPICS).arg("COUNT").arg(STEP);
        let Value::Array(answer) = node.query(&command).await? else { return Err(reply::unexpected()) };
        let [Value::BulkString(next), Value::Array(found)] = answer.as_slice() else {
            return Err(reply::unexpected());
        };
        let topics = found.iter().filter_map(|key| match key {
            Value::BulkString(key) => keys::topic_of(key),
            _ => None,
        });
        self.cursor.clone_from(next);
        if next == START {
            self.nodes.pop();
        }
        Ok(Some(topics.collect()))
    }
}

impl RedisStore {
    /// How many topics there are.
    pub(super) async fn count_topics(&self) -> RedisResult<u64> {
        let buckets: Vec<u16> = (0..BUCKETS).collect();
        let together = match self.topology {
            Topology::One(_) => buckets.len(),
            Topology::Cluster(_) => 1,
        };
        let calls = buckets.chunks(together).map(|buckets| {
            self.run(buckets[0], &script::TOPIC_COUNT, buckets.len(), move |command| {
                let mut keys = KeyWriter::default();
                buckets.iter().for_each(|&bucket| keys.count(command, bucket));
            })
        });
        outbox::sum(join_all(calls).await)
    }

    /// Begins to go through all topics there are.
    pub(super) async fn walk(&self) -> RedisResult<Walk> {
        self.check_schema().await?;
        Ok(Walk { nodes: self.topology.nodes().await?, cursor: START.to_vec() })
    }

    /// Runs a script that counts, on the hashes and outboxes of topics; the sum of its answers.
    pub(super) async fn count_of(
        &self,
        script: &Script,
        topics: &[Topic],
        arguments: &[&str],
    ) -> RedisResult<u64> {
        let groups = self.groups(topics.iter());
        let calls = groups.iter().filter(|group| !group.is_empty()).map(|group| {
            self.run(topics[group[0]].bucket(), script, 2 * group.len(), move |command| {
                let mut keys = KeyWriter::default();
                group.iter().for_each(|&index| keys.topic_and_outbox(command, &topics[index]));
                arguments.iter().for_each(|argument| _ = command.arg(argument));
            })
        });
        outbox::sum(join_all(calls).await)
    }
}
