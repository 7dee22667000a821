//! How much the feeds have that were appended to lately, so that SQLite need not count their events with each append.

use std::collections::HashMap;

use super::feed_rows::FeedSize;
use super::file::StoreFile;
use crate::domain::Topic;

/// How many feeds are remembered. When there are more, all are forgotten.
const REMEMBERED: usize = 4096;

/// See the top of the module.
#[derive(Default)]
pub(super) struct FeedSizes(HashMap<Topic, FeedSize>);

impl FeedSizes {
    /// The size of a feed, which the caller must change as it changes the feed.
    pub(super) fn of(&mut self, feed: &Topic, file: &StoreFile) -> rusqlite::Result<&mut FeedSize> {
        if !self.0.contains_key(feed) {
            if self.0.len() >= REMEMBERED {
                self.0.clear();
            }
            self.0.insert(feed.clone(), file.feeds().size(feed)?);
        }
        Ok(self.0.entry(feed.clone()).or_default())
    }

    /// Forgets a feed that is deleted.
    pub(super) fn forget(&mut self, feed: &Topic) {
        self.0.remove(feed);
    }

    /// Forgets all feeds, as a batch that has changed some of them was undone.
    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }
}
