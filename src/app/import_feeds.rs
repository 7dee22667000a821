//! Which events of an input a feed has already, so that an import that is repeated appends none twice.
//!
//! An import appends events behind those of the feed, so only events that are later than all of them keep the order. Of the events of the
//! millisecond in which the feed has its latest ones, those are appended that the feed does not have.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::domain::Topic;
use crate::import::{ImportLine, PastEvent, Target};
use crate::store::{Store, StoreError};

/// How many events of a feed one call to the store reads.
const PAGE: usize = 500;

/// The feed whose events the input has at present, and what was left out so far.
#[derive(Default)]
pub(super) struct FeedImport {
    present: Option<(Topic, LatestEvents)>,
    left_out: u64,
}

/// The latest events that a feed had when the import came to that feed.
#[derive(Debug, Default, PartialEq, Eq)]
struct LatestEvents {
    /// Their time in milliseconds since 1970; `None` if the feed had no events.
    at: Option<u64>,
    /// How many events with this data, by a hash of it, the feed had at this time, and the input did not have yet.
    data: HashMap<u64, u64>,
}

impl FeedImport {
    /// How many events were left out.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Removes the events that need not be appended from the batch. The events of a feed must follow each other in the input.
    pub(super) async fn leave_out_known(
        &mut self,
        store: &dyn Store,
        batch: &mut Vec<ImportLine>,
    ) -> Result<(), StoreError> {
        let mut needed = Vec::with_capacity(batch.len());
        for line in batch.drain(..) {
            let known = match &line.target {
                Target::Event(event) => self.latest_of(store, &event.feed).await?.has(event),
                _ => false,
            };
            match known {
                true => self.left_out += 1,
                false => needed.push(line),
            }
        }
        *batch = needed;
        Ok(())
    }

    async fn latest_of(&mut self, store: &dyn Store, feed: &Topic) -> Result<&mut LatestEvents, StoreError> {
        let present = match self.present.take() {
            Some(present) if present.0 == *feed => present,
            _ => (feed.clone(), LatestEvents::read(store, feed).await?),
        };
        Ok(&mut self.present.insert(present).1)
    }
}

impl LatestEvents {
    /// Reads all events of a feed, some at a time: the latest one need not be the last one, as clocks can be set back.
    async fn read(store: &dyn Store, feed: &Topic) -> Result<Self, StoreError> {
        let (mut latest, mut last) = (LatestEvents::default(), 0);
        loop {
            let events = store.kept(feed, last, PAGE).await?.events;
            for event in &events {
                latest.note(event.at, event.data.as_str());
            }
            match events.last() {
                Some(event) => last = event.id.revision,
                None => return Ok(latest),
            }
        }
    }

    fn note(&mut self, at: u64, data: &str) {
        if self.at < Some(at) {
            *self = LatestEvents { at: Some(at), data: HashMap::new() };
        }
        if self.at == Some(at) {
            *self.data.entry(hash(data)).or_default() += 1;
        }
    }

    /// Whether the feed has this event of the input, or a later one.
    fn has(&mut self, event: &PastEvent) -> bool {
        if self.at != Some(event.at) {
            return self.at > Some(event.at);
        }
        match self.data.get_mut(&hash(event.data.as_str())) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::JsonText;

    #[test]
    fn a_feed_has_earlier_events_and_those_that_are_equal_as_often() {
        let mut latest = LatestEvents::default();
        let has = |latest: &mut LatestEvents, at, text: &str| {
            let feed = Topic::feed(&"a".parse().expect("a route"));
            latest.has(&PastEvent { feed, at, data: JsonText::of_stored(text) })
        };
        assert!(!has(&mut latest, 0, "1"), "an empty feed has no event");
        for (at, text) in [(5, "1"), (7, "1"), (7, "2"), (7, "1"), (6, "3")] {
            latest.note(at, text);
        }
        for (at, text, expected) in
            [(5, "9", true), (6, "3", true), (7, "1", true), (7, "1", true), (7, "1", false), (7, "2", true)]
        {
            assert_eq!(has(&mut latest, at, text), expected, "{at} {text}");
        }
        assert!(!has(&mut latest, 7, "3") && !has(&mut latest, 8, "1"));
    }
}
