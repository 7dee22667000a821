//! The outbox: which topics still have to be announced.

use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, ErrorKind, RedisResult, Value};

use super::address::Topology;
use super::batch::CHUNK;
use super::call::Call;
use super::keys::{self, KeyWriter};
use super::script::{self, Script};
use super::{RedisStore, reply};
use crate::domain::{BUCKETS, EventId, OUTBOX_PARTS, Topic};
use crate::store::{GRACE, LONGEST_LEASE, random};

impl RedisStore {
    /// Takes the marks of announced topics away.
    pub(super) async fn unmark(&self, claims: &[(Topic, EventId)]) -> RedisResult<()> {
        let groups = self.groups(claims.iter().map(|(topic, _)| topic));
        let calls = groups.iter().flat_map(|group| group.chunks(CHUNK)).map(|chunk| {
            let bucket = claims[chunk[0]].0.bucket();
            self.run(bucket, &script::ACKNOWLEDGE, 2 * chunk.len(), move |command| {
                let mut keys = KeyWriter::default();
                chunk.iter().for_each(|&index| keys.topic_and_outbox(command, &claims[index].0));
                command.arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64);
                for &index in chunk {
                    let id = claims[index].1;
                    command.arg(id.epoch.get()).arg(id.revision);
                }
            })
        });
        join_all(calls).await.into_iter().collect::<RedisResult<Vec<_>>>().map(|_| ())
    }

    /// Whether this caller may sweep; then nobody else may within the pause.
    pub(super) async fn open_sweep(&self, pause: Duration) -> RedisResult<bool> {
        // Two may, where they cannot reach the same nodes: then both are given the same topics, and one of them each claim.
        Ok(self.ask_one_node(|bucket| keys::shut_sweep(bucket, pause)).await? == Value::Int(1))
    }

    /// Asks what any node can answer, of a Cluster one after the other: while some are lost, the others serve.
    pub(super) async fn ask_one_node(&self, question: impl Fn(u16) -> Cmd) -> RedisResult<Value> {
        self.check_schema().await?;
        let (first, rest) = keys::SPREAD.split_at(1);
        let others = if matches!(self.topology, Topology::One(_)) { &[][..] } else { rest };
        let mut answer = self.topology.send(first[0], Call::of(&question(first[0]))).await;
        for &bucket in others {
            // An error that a node has answered is the Cluster's.
            if answer.as_ref().err().is_none_or(|error| matches!(error.kind(), ErrorKind::Server(_))) {
                break;
            }
            answer = self.topology.send(bucket, Call::of(&question(bucket))).await;
        }
        answer
    }

    /// Topics with overdue marks. Of a Cluster, those of the nodes that answer.
    pub(super) async fn sweep(&self, limit: usize) -> RedisResult<Vec<Topic>> {
        let mut topics = Vec::new();
        let mut failure = None;
        for reply in self.ask_outboxes(&script::OVERDUE, limit).await? {
            match reply.and_then(names) {
                Ok(found) => topics.extend(found),
                Err(error) => failure = Some(error),
            }
        }
        topics.truncate(limit);
        match failure {
            Some(error) if topics.is_empty() => Err(error),
            _ => Ok(topics),
        }
    }

    /// How many marks there are.
    pub(super) async fn count_marks(&self) -> RedisResult<u64> {
        sum(self.ask_outboxes(&script::OUTBOX_LEN, 0).await?)
    }

    /// Runs a script on the outboxes of all buckets, beginning anywhere, so that no bucket is always the last.
    async fn ask_outboxes(&self, script: &Script, limit: usize) -> RedisResult<Vec<RedisResult<Value>>> {
        let start = (random::number()? % u64::from(BUCKETS)) as u16;
        let buckets: Vec<u16> = (start..BUCKETS).chain(0..start).collect();
        let together = match self.topology {
            Topology::One(_) => buckets.len(),
            Topology::Cluster(_) => 1,
        };
        let calls = buckets.chunks(together).map(|buckets| {
            let outboxes = usize::from(OUTBOX_PARTS) * buckets.len();
            self.run(buckets[0], script, outboxes, move |command| {
                let mut keys = KeyWriter::default();
                for &bucket in buckets {
                    (0..OUTBOX_PARTS).for_each(|part| keys.outbox(command, bucket, part));
                }
                command.arg(limit).arg(LONGEST_LEASE.as_millis() as u64);
            })
        });
        Ok(join_all(calls).await)
    }
}

/// The sum of what the calls have counted.
pub(super) fn sum(replies: Vec<RedisResult<Value>>) -> RedisResult<u64> {
    replies.into_iter().try_fold(0, |sum, reply| match reply? {
        Value::Int(some) => Ok(sum + some.unsigned_abs()),
        _ => Err(reply::unexpected()),
    })
}

/// The topics. What is none was put there by somebody else, and must not keep the others.
fn names(reply: Value) -> RedisResult<Vec<Topic>> {
    let Value::Array(names) = reply else { return Err(reply::unexpected()) };
    let topic = |name: Value| match name {
        Value::BulkString(name) => std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok()),
        _ => None,
    };
    Ok(names.into_iter().filter_map(topic).collect())
}
