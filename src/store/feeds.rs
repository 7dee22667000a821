//! What a store tells of the events of a feed, and when it can tell all that a listener has missed.

use std::sync::Arc;

use super::body::{Body, Reading};
use crate::domain::{Epoch, EventId, FeedEvent, FeedRetention, GapReason, Kind, Topic};

/// The events of a feed that a listener has missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The event claimed last: events behind it reach listeners with the next announcements. [`EventId::default`] before the first claim.
    pub published: EventId,
    /// The last deletion of the feed, if the listener has not seen it and `events` are those written since.
    pub deletion: Option<EventId>,
    /// All events up to `published` that the listener has not seen, the oldest first; or why the store cannot tell them.
    pub events: Result<Vec<FeedEvent>, GapReason>,
}

/// A part of the events that a feed keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPage {
    /// The event claimed last: a stream that begins behind it has all events that are not in the history yet.
    pub published: EventId,
    /// Events up to `published`, the oldest first.
    pub events: Vec<FeedEvent>,
}

/// Some of all events that a store has of a feed, announced or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEvents {
    /// The events, the oldest first.
    pub events: Vec<FeedEvent>,
    /// The time of the oldest event that readers still get, in milliseconds since 1970.
    pub oldest: u64,
}

/// What a store has of a feed, from which it answers.
#[derive(Clone, Debug, Default)]
pub(super) struct FeedState {
    /// The present time, in milliseconds since 1970.
    pub(super) now: u64,
    pub(super) epoch: Epoch,
    pub(super) revision: u64,
    pub(super) published: EventId,
    /// The revision of the last deletion; 0 if the feed was never deleted.
    pub(super) begun: u64,
    /// The epochs before, each with the last revision that the store has of it.
    pub(super) former: Vec<(Epoch, u64)>,
}

impl FeedState {
    /// Which events a listener has missed that has seen `seen`. `events` are the events behind `seen`, as far as the store has them.
    pub(super) fn missed(self, seen: EventId, events: Vec<FeedEvent>, retention: FeedRetention) -> Missed {
        let FeedState { published, begun, .. } = self;
        if !self.knows(seen) {
            return Missed { published, deletion: None, events: Err(GapReason::Unknown) };
        }
        let is_deleted = seen.revision < begun && begun <= published.revision;
        let deletion = is_deleted.then_some(EventId { epoch: self.epoch, revision: begun });
        let expected = published.revision.saturating_sub(deletion.unwrap_or(seen).revision);
        let oldest = retention.oldest(self.now);
        let complete = events.len() as u64 == expected && events.iter().all(|event| event.at >= oldest);
        match complete {
            true => Missed { published, deletion, events: Ok(events) },
            false => Missed { published, deletion: None, events: Err(GapReason::Expired) },
        }
    }

    /// A page of the events that are young enough. `events` come with the newest first.
    pub(super) fn page(self, mut events: Vec<FeedEvent>, retention: FeedRetention) -> FeedPage {
        let oldest = retention.oldest(self.now);
        events.retain(|event| event.at >= oldest);
        events.reverse();
        FeedPage { published: self.published, events }
    }

    /// The events with the age from which on no reader gets them.
    pub(super) fn kept(self, events: Vec<FeedEvent>, retention: FeedRetention) -> KeptEvents {
        KeptEvents { events, oldest: retention.oldest(self.now) }
    }

    /// Whether the events behind `seen` are those that a listener has missed that has seen `seen`. A listener of a feed without any event has
    /// seen [`EventId::default`].
    fn knows(&self, seen: EventId) -> bool {
        let up_to = |revision| seen.revision <= revision;
        seen == EventId::default()
            || seen.epoch == self.epoch && up_to(self.revision)
            || self.former.iter().any(|(epoch, last)| *epoch == seen.epoch && up_to(*last))
    }
}

/// The reading of a topic, of which a store has read only numbers: a feed holds events.
pub(super) fn reading_of(topic: &Topic, reading: Reading) -> Reading {
    if topic.holds_number() || topic.kind() != Some(Kind::Feed) || reading.body == Body::Gone {
        return reading;
    }
    Reading { body: Body::Events(Arc::default()), ..reading }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::JsonText;

    fn id(epoch: u64, revision: u64) -> EventId {
        EventId { epoch: Epoch::new(epoch), revision }
    }

    fn events(revisions: std::ops::RangeInclusive<u64>, at: u64) -> Vec<FeedEvent> {
        revisions.map(|revision| FeedEvent { id: id(9, revision), at, data: JsonText::null() }).collect()
    }

    fn state() -> FeedState {
        FeedState {
            now: 2000,
            epoch: Epoch::new(9),
            revision: 8,
            published: id(9, 7),
            begun: 0,
            former: vec![(Epoch::new(6), 5)],
        }
    }

    const KEPT: FeedRetention = FeedRetention { age: Duration::from_secs(1), ..FeedRetention::DEFAULT };

    #[test]
    fn a_listener_gets_all_that_it_has_missed_or_the_reason_why_not() {
        let missed = |seen, events| state().missed(seen, events, KEPT).events;
        assert_eq!(missed(id(9, 4), events(5..=7, 1500)), Ok(events(5..=7, 1500)));
        assert_eq!(
            missed(id(6, 4), events(5..=7, 1500)),
            Ok(events(5..=7, 1500)),
            "seen in the epoch before"
        );
        assert_eq!(missed(EventId::default(), events(1..=7, 1500)), Ok(events(1..=7, 1500)));
        assert_eq!(missed(id(9, 7), Vec::new()), Ok(Vec::new()));
        assert_eq!(missed(id(9, 8), Vec::new()), Ok(Vec::new()), "not published yet");
        assert_eq!(missed(id(9, 4), events(6..=7, 1500)), Err(GapReason::Expired), "5 is gone");
        assert_eq!(missed(id(9, 4), events(5..=7, 999)), Err(GapReason::Expired), "too old");
        for lost in [id(9, 9), id(6, 6), id(3, 1)] {
            assert_eq!(missed(lost, Vec::new()), Err(GapReason::Unknown), "{lost}");
        }
    }

    #[test]
    fn a_listener_from_before_a_deletion_gets_the_events_since() {
        let missed = |begun, seen, events| FeedState { begun, ..state() }.missed(seen, events, KEPT);
        let told = |deletion, events| Missed { published: id(9, 7), deletion, events };
        assert_eq!(missed(5, id(9, 3), events(6..=7, 1500)), told(Some(id(9, 5)), Ok(events(6..=7, 1500))));
        assert_eq!(missed(5, id(6, 3), events(6..=7, 1500)), told(Some(id(9, 5)), Ok(events(6..=7, 1500))));
        assert_eq!(missed(7, id(9, 3), Vec::new()), told(Some(id(9, 7)), Ok(Vec::new())), "nothing since");
        assert_eq!(missed(5, id(9, 5), events(6..=7, 1500)), told(None, Ok(events(6..=7, 1500))), "seen");
        assert_eq!(
            missed(5, id(9, 3), events(7..=7, 1500)),
            told(None, Err(GapReason::Expired)),
            "6 is gone"
        );
        assert_eq!(missed(8, id(9, 7), Vec::new()), told(None, Ok(Vec::new())), "not published yet");
    }

    #[test]
    fn a_page_has_no_event_that_is_too_old() {
        let mut all: Vec<_> = events(1..=2, 999).into_iter().chain(events(3..=4, 1000)).collect();
        all.reverse();
        assert_eq!(state().page(all, KEPT), FeedPage { published: id(9, 7), events: events(3..=4, 1000) });
    }
}
