//! Runs scripts on the servers of one store, once the schema there is known to be one that this version can use.

use redis::{Cmd, ErrorKind, RedisResult, Value};

use super::call::Call;
use super::direct::DirectCounters;
use super::keys;
use super::schema::SchemaCheck;
use super::script::Script;
use super::topology::Topology;
use super::uncounted::Uncounted;
use super::wait::Wait;
use crate::domain::Retention;

/// See the top of the module.
pub(super) struct ScriptRunner {
    pub(super) topology: Topology,
    /// The connections for changes that replicas must have. These connections are separate, because each of them takes no other
    /// command while it waits for the replicas.
    pub(super) replicated: Option<(Topology, Wait)>,
    pub(super) schema: SchemaCheck,
    /// The topics of a Cluster that could not be counted yet.
    pub(super) uncounted: Uncounted,
    /// How much of the history of each topic is kept.
    pub(super) retention: Retention,
    /// The forms of the counters to which this process adds.
    pub(super) direct: DirectCounters,
}

impl ScriptRunner {
    /// Runs a script. In a Cluster all of its keys must be in `bucket`.
    pub(super) async fn run(
        &self,
        bucket: u16,
        script: &Script,
        keys: usize,
        write: impl Fn(&mut Cmd),
    ) -> RedisResult<Value> {
        self.schema.check(&self.topology).await?;
        self.topology.run(None, bucket, script, keys, write).await
    }

    /// Whether this store brings counters into the direct form, and adds to them without a script.
    pub(super) fn adds_directly(&self) -> bool {
        self.topology.is_one() && self.replicated.is_none() && self.schema.is_newest()
    }

    /// Runs a script that changes a value. Where a [`Wait`] is configured, the answer comes when replicas have the change.
    pub(super) async fn run_change(
        &self,
        bucket: u16,
        script: &Script,
        keys: usize,
        write: impl Fn(&mut Cmd),
    ) -> RedisResult<Value> {
        self.schema.check(&self.topology).await?;
        match &self.replicated {
            Some((topology, wait)) => topology.run(Some(*wait), bucket, script, keys, write).await,
            None => self.topology.run(None, bucket, script, keys, write).await,
        }
    }

    /// Sends a command that any node can answer. In a Cluster, nodes are asked one after the other until one answers: so
    /// the command succeeds while some nodes are lost.
    pub(super) async fn ask_one_node(&self, command: impl Fn(u16) -> Cmd) -> RedisResult<Value> {
        self.schema.check(&self.topology).await?;
        let (first, rest) = keys::SPREAD.split_at(1);
        let others = if self.topology.is_one() { &[][..] } else { rest };
        let mut answer = self.topology.send(first[0], Call::of(&command(first[0]))).await;
        for &bucket in others {
            // An error that a node has answered is the answer of the Cluster.
            if answer.as_ref().err().is_none_or(|error| matches!(error.kind(), ErrorKind::Server(_))) {
                break;
            }
            answer = self.topology.send(bucket, Call::of(&command(bucket))).await;
        }
        answer
    }
}
