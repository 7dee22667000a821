//! Reads and claims topics that hold numbers.

use redis::Cmd;

use super::batch::BatchQuery;
use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::{reply, script};
use crate::domain::{Epoch, Topic};
use crate::store::{Claim, ClaimTerms, GRACE, LONGEST_LEASE, Reading, StoreError};

/// The states of topics. Of a feed, the number is how many events it ever had.
pub(super) async fn read(runner: &ScriptRunner, topics: &[Topic]) -> Vec<Result<Reading, StoreError>> {
    let query = BatchQuery { script: &script::READ, keys_per_topic: 1, decode: reply::reading };
    let write = |command: &mut Cmd, chunk: &[usize]| {
        let mut keys = KeyWriter::default();
        chunk.iter().for_each(|&index| keys.topic(command, &topics[index]));
    };
    query.ask(runner, topics, write).await
}

/// Claims the changes of topics. The second part of an answer says whether `count.lua` must count the topic.
pub(super) async fn claim(
    runner: &ScriptRunner,
    topics: &[Topic],
    terms: ClaimTerms,
    epoch: Epoch,
) -> Vec<Result<(Claim, bool), StoreError>> {
    let retention = runner.retention;
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
    query.ask(runner, topics, write).await
}
