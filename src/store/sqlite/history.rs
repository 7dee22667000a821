//! Values on their way into the history.

use std::collections::HashSet;

use super::topic::Millis;
use crate::domain::Topic;

/// The value of a topic at the time of a claim.
#[derive(Clone, Debug)]
pub(super) struct HistoryRecord {
    pub(super) topic: Topic,
    pub(super) value: i64,
    pub(super) at: Millis,
}

/// The changes of a batch to the history of topics.
#[derive(Default)]
pub(super) struct BatchHistory {
    pub(super) records: Vec<HistoryRecord>,
    /// The topics whose history the batch has deleted in the file.
    pub(super) deleted: HashSet<Topic>,
}

impl BatchHistory {
    /// Notes that the history of a topic is deleted.
    pub(super) fn delete(&mut self, topic: &Topic) {
        self.records.retain(|record| record.topic != *topic);
        self.deleted.insert(topic.clone());
    }
}
