//! The order of the events in an input.

use std::collections::HashSet;

use super::hash::hash;
use super::line::BadLine;
use crate::domain::Topic;

/// Refuses a feed whose events do not follow each other: an import looks only once at what the feed has.
#[derive(Default)]
pub(super) struct FeedOrder {
    present: Option<Topic>,
    /// The hashes of all feeds so far.
    seen: HashSet<u64>,
}

impl FeedOrder {
    /// Notes the line of an event.
    pub(super) fn note(&mut self, feed: &Topic, line: u64) -> Result<(), BadLine> {
        if self.present.as_ref() == Some(feed) {
            return Ok(());
        }
        self.present = Some(feed.clone());
        match self.seen.insert(hash(feed.name())) {
            true => Ok(()),
            false => {
                let reason = "stands apart from the other events of its feed".to_owned();
                Err(BadLine { line, reason })
            }
        }
    }
}
