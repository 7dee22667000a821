//! Batches: which items one call may touch together, and the answers back in the order of the questions.

use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value};

use super::address::Topology;
use super::script::Script;
use super::{RedisStore, reply};
use crate::domain::{BUCKETS, Topic};
use crate::store::StoreError;

/// The most items in one call of a script: Redis serves nobody else meanwhile.
pub(super) const CHUNK: usize = 1000;

/// A script that answers one item per topic, and what its items mean.
pub(super) struct BatchQuery<'a, T> {
    pub(super) script: &'a Script,
    pub(super) keys_per_topic: usize,
    pub(super) decode: fn(&Value) -> RedisResult<T>,
}

impl RedisStore {
    /// Indices of topics whose keys one call may touch together, in order.
    pub(super) fn groups<'a>(&self, topics: impl Iterator<Item = &'a Topic>) -> Vec<Vec<usize>> {
        if let Topology::One(_) = self.topology {
            return vec![(0..topics.count()).collect()];
        }
        let mut groups = vec![Vec::new(); usize::from(BUCKETS)];
        for (index, topic) in topics.enumerate() {
            groups[usize::from(topic.bucket())].push(index);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }

    /// Asks about topics, of all groups at the same time. `write` appends the keys and arguments for those with these
    /// indices.
    pub(super) async fn ask<T>(
        &self,
        question: &BatchQuery<'_, T>,
        topics: &[Topic],
        write: impl Fn(&mut Cmd, &[usize]) + Copy,
    ) -> Vec<Result<T, StoreError>> {
        let groups = self.groups(topics.iter());
        let answers = groups.iter().map(|group| self.ask_group(question, topics, group, write));
        ungroup(&groups, join_all(answers).await)
    }

    /// Asks about the topics of one group, in as many calls as their number takes.
    async fn ask_group<T>(
        &self,
        question: &BatchQuery<'_, T>,
        topics: &[Topic],
        group: &[usize],
        write: impl Fn(&mut Cmd, &[usize]),
    ) -> Vec<Result<T, StoreError>> {
        let mut answers = Vec::with_capacity(group.len());
        for chunk in group.chunks(CHUNK) {
            let bucket = topics[chunk[0]].bucket();
            let keys = question.keys_per_topic * chunk.len();
            let reply = self.run(bucket, question.script, keys, |command| write(command, chunk)).await;
            match reply.and_then(|reply| reply::items(reply, chunk.len())) {
                Ok(items) => {
                    answers.extend(items.iter().map(|item| (question.decode)(item).map_err(StoreError::new)));
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

/// Puts the answers of groups into the order of the questions.
pub(super) fn ungroup<T>(groups: &[Vec<usize>], answers: Vec<Vec<T>>) -> Vec<T> {
    let indices = groups.iter().flatten().copied();
    let mut placed: Vec<(usize, T)> = indices.zip(answers.into_iter().flatten()).collect();
    placed.sort_by_key(|(index, _)| *index);
    placed.into_iter().map(|(_, answer)| answer).collect()
}
