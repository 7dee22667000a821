//! Batches: one call of a script for many topics, and the answers in the order in which the topics were given.

use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value};

use super::keys::KeyWriter;
use super::reply;
use super::runner::ScriptRunner;
use super::script::Script;
use crate::domain::Topic;
use crate::store::StoreError;

/// The most topics in one call of a script: Redis serves no other client while a script runs.
pub(super) const CHUNK: usize = 1000;

/// A script that answers one item per topic, and how its items are decoded.
pub(super) struct BatchQuery<'a, T> {
    pub(super) script: &'a Script,
    pub(super) keys_per_topic: usize,
    pub(super) decode: fn(&Value) -> RedisResult<T>,
}

impl<T> BatchQuery<'_, T> {
    /// Asks about topics. In a Cluster the buckets are asked at the same time. `write` appends the keys and arguments for
    /// the topics with these indices.
    pub(super) async fn ask(
        &self,
        runner: &ScriptRunner,
        topics: &[Topic],
        write: impl Fn(&mut Cmd, &[usize]) + Copy,
    ) -> Vec<Result<T, StoreError>> {
        let groups = runner.topology.groups(topics.iter());
        let answers = groups.iter().map(|group| self.ask_group(runner, topics, group, write));
        ungroup(&groups, join_all(answers).await)
    }

    /// Asks about the topics of one group, in as many calls as their number needs.
    async fn ask_group(
        &self,
        runner: &ScriptRunner,
        topics: &[Topic],
        group: &[usize],
        write: impl Fn(&mut Cmd, &[usize]),
    ) -> Vec<Result<T, StoreError>> {
        let mut answers = Vec::with_capacity(group.len());
        for chunk in group.chunks(CHUNK) {
            let bucket = topics[chunk[0]].bucket();
            let keys = self.keys_per_topic * chunk.len();
            let reply = runner.run(bucket, self.script, keys, |command| write(command, chunk)).await;
            match reply.and_then(|reply| reply::items(reply, chunk.len())) {
                Ok(items) => {
                    answers.extend(items.iter().map(|item| (self.decode)(item).map_err(StoreError::new)));
                }
                Err(error) => {
                    let error = StoreError::new(error);
                    answers.extend(chunk.iter().map(|_| Err(error.clone())));
                }
            }
        }
        answers
    }
}

/// Puts the answers of groups into the order in which the topics were given.
pub(super) fn ungroup<T>(groups: &[Vec<usize>], answers: Vec<Vec<T>>) -> Vec<T> {
    let indices = groups.iter().flatten().copied();
    let mut placed: Vec<(usize, T)> = indices.zip(answers.into_iter().flatten()).collect();
    placed.sort_by_key(|(index, _)| *index);
    placed.into_iter().map(|(_, answer)| answer).collect()
}

/// Runs a script that returns a number, on topics. The keys of each topic are its hash, its outbox part, the number of topics of its bucket,
/// and its part of the names. Returns the sum of the numbers.
pub(super) async fn count_topics_by(
    runner: &ScriptRunner,
    script: &Script,
    topics: &[Topic],
    arguments: &[&str],
) -> RedisResult<u64> {
    let groups = runner.topology.groups(topics.iter());
    let calls = groups.iter().filter(|group| !group.is_empty()).map(|group| {
        runner.run(topics[group[0]].bucket(), script, 4 * group.len(), move |command| {
            let mut keys = KeyWriter::default();
            for &index in group {
                let topic = &topics[index];
                keys.topic_and_outbox(command, topic);
                keys.count(command, topic.bucket());
                keys.names(command, topic.bucket(), topic.outbox_part());
            }
            for argument in arguments {
                command.arg(argument);
            }
        })
    });
    reply::sum(join_all(calls).await)
}
