//! Counts all topics, and goes through all topics.

use std::sync::Arc;

use futures_util::future::join_all;
use redis::{RedisResult, Value};

use super::connection::RedisConnection;
use super::keys::{self, KeyWriter};
use super::reply;
use super::runner::ScriptRunner;
use super::script;
use crate::domain::{BUCKETS, Topic};

/// How many keys Redis looks at in one step of a walk: it serves no other client during a step.
const STEP: usize = 500;

/// The cursor with which a walk through a node begins. Redis returns it again at the end.
const START: &[u8] = b"0";

/// Goes through all topics on all nodes, some at a time. A topic may come twice. A topic that is created or removed during
/// the walk, or whose slot moves to another node of a Cluster, may be missed.
pub(super) struct Walk {
    /// The nodes that are still to be asked; the last one is asked first.
    nodes: Vec<Arc<RedisConnection>>,
    cursor: Vec<u8>,
}

impl Walk {
    /// Begins to go through all topics.
    pub(super) async fn start(runner: &ScriptRunner) -> RedisResult<Walk> {
        runner.schema.check(&runner.topology).await?;
        Ok(Walk { nodes: runner.topology.nodes().await?, cursor: START.to_vec() })
    }

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

/// How many topics there are.
pub(super) async fn count(runner: &ScriptRunner) -> RedisResult<u64> {
    let buckets: Vec<u16> = (0..BUCKETS).collect();
    let calls = runner.topology.bucket_groups(&buckets).map(|buckets| {
        runner.run(buckets[0], &script::TOPIC_COUNT, buckets.len(), move |command| {
            let mut keys = KeyWriter::default();
            for &bucket in buckets {
                keys.count(command, bucket);
            }
        })
    });
    reply::sum(join_all(calls).await)
}
