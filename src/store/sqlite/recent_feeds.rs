//! What the writer remembers of feeds that were appended to lately: how much they have, so that SQLite need not count their events with each append,
//! and the events that are not claimed yet, so that a claim need not read them.

use std::collections::HashMap;
use std::mem;

use super::feed_rows::FeedSize;
use super::file::StoreFile;
use crate::domain::{FeedEvent, Topic};

/// How many feeds are remembered. When there are more, all are forgotten.
const REMEMBERED: usize = 4096;
/// The most bytes of events in memory. When there are more, all events are forgotten, and their claims read them.
const MOST_BYTES: usize = 1 << 20;
/// What each event in memory costs besides its data, about.
const OVERHEAD: usize = 64;

/// See the top of the module.
#[derive(Default)]
pub(super) struct RecentFeeds {
    feeds: HashMap<Topic, RecentFeed>,
    /// The bytes of all events that are not claimed yet.
    bytes: usize,
}

#[derive(Default)]
struct RecentFeed {
    size: FeedSize,
    /// The last events, as far as they are not claimed yet.
    unclaimed: Vec<FeedEvent>,
}

impl RecentFeeds {
    /// The size of a feed, which the caller must change as it changes the feed.
    pub(super) fn size(&mut self, feed: &Topic, file: &StoreFile) -> rusqlite::Result<&mut FeedSize> {
        if !self.feeds.contains_key(feed) {
            if self.feeds.len() >= REMEMBERED {
                self.forget_all();
            }
            let size = file.feeds().size(feed)?;
            self.feeds.insert(feed.clone(), RecentFeed { size, unclaimed: Vec::new() });
        }
        Ok(&mut self.feeds.entry(feed.clone()).or_default().size)
    }

    /// Remembers events that were appended to a feed whose size is known.
    pub(super) fn remember(&mut self, feed: &Topic, events: impl Iterator<Item = FeedEvent>) {
        let Some(recent) = self.feeds.get_mut(feed) else { return };
        let known = recent.unclaimed.len();
        recent.unclaimed.extend(events);
        self.bytes += bytes(&recent.unclaimed[known..]);
        if self.bytes > MOST_BYTES {
            self.feeds.values_mut().for_each(|feed| feed.unclaimed = Vec::new());
            self.bytes = 0;
        }
    }

    /// Takes the events behind one revision up to another, for a claim; `None` if not all of them are in memory.
    pub(super) fn claim(&mut self, feed: &Topic, before: u64, last: u64) -> Option<Vec<FeedEvent>> {
        let recent = self.feeds.get_mut(feed)?;
        let mut events = mem::take(&mut recent.unclaimed);
        self.bytes -= bytes(&events);
        events.retain(|event| (before + 1..=last).contains(&event.id.revision));
        let count = events.len() as u64;
        // The feed may have lost some of these events, as they were too many.
        (count == last - before && count <= recent.size.events).then_some(events)
    }

    /// Forgets a feed that is deleted.
    pub(super) fn forget(&mut self, feed: &Topic) {
        if let Some(recent) = self.feeds.remove(feed) {
            self.bytes -= bytes(&recent.unclaimed);
        }
    }

    /// Forgets all feeds, as a batch that has changed some of them was undone.
    pub(super) fn forget_all(&mut self) {
        *self = RecentFeeds::default();
    }
}

fn bytes(events: &[FeedEvent]) -> usize {
    events.iter().map(|event| event.data.as_str().len() + OVERHEAD).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EventId, JsonText};

    fn events(revisions: std::ops::RangeInclusive<u64>, bytes: usize) -> impl Iterator<Item = FeedEvent> {
        let id = |revision| EventId { revision, ..EventId::default() };
        revisions.map(move |revision| FeedEvent {
            id: id(revision),
            at: 0,
            data: JsonText::of_stored("7".repeat(bytes)),
        })
    }

    /// A feed of three events, of which the last two are not claimed.
    fn feeds() -> (RecentFeeds, Topic) {
        let (mut feeds, feed): (_, Topic) = (RecentFeeds::default(), "feed-a".parse().expect("a topic"));
        let size = FeedSize { events: 3, bytes: 3 };
        feeds.feeds.insert(feed.clone(), RecentFeed { size, unclaimed: Vec::new() });
        feeds.remember(&feed, events(2..=3, 1));
        (feeds, feed)
    }

    #[test]
    fn a_claim_takes_what_came_since_the_one_before() {
        let (mut feeds, feed) = feeds();
        assert_eq!(feeds.claim(&feed, 1, 3), Some(events(2..=3, 1).collect()));
        assert_eq!(
            (feeds.claim(&feed, 1, 3), feeds.bytes),
            (None, 0),
            "a claim that is repeated reads the file"
        );
        feeds.remember(&feed, events(4..=4, 1));
        assert_eq!(feeds.claim(&feed, 3, 4), Some(events(4..=4, 1).collect()));
    }

    #[test]
    fn a_claim_of_more_than_is_known_or_kept_reads_the_file() {
        assert_eq!(feeds().0.claim(&feeds().1, 0, 3), None);
        let (mut lost, feed) = feeds();
        lost.feeds.get_mut(&feed).expect("a feed").size.events = 1;
        assert_eq!(lost.claim(&feed, 1, 3), None);
        let (mut other, feed) = feeds();
        other.forget(&feed);
        assert_eq!((other.claim(&feed, 1, 3), other.bytes), (None, 0));
    }

    #[test]
    fn events_in_memory_are_bounded() {
        let (mut feeds, feed) = feeds();
        feeds.remember(&feed, events(4..=5, MOST_BYTES / 2));
        assert_eq!((feeds.bytes, feeds.claim(&feed, 1, 5)), (0, None));
    }
}
