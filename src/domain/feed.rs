//! The events of a feed, and how much of a feed is kept.

use std::time::Duration;

use super::{EventId, JsonText};

/// The greatest length of the data of one event, in bytes.
pub const MAX_EVENT_BYTES: usize = 16 * 1024;

/// One event of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEvent {
    /// The id, which no other event of the feed has. The revisions of events that follow each other differ by 1.
    pub id: EventId,
    /// When the store took the event, in milliseconds since 1970.
    pub at: u64,
    /// What the client has sent.
    pub data: JsonText,
}

/// How many events the store keeps of each feed. The oldest events go first. Events that no origin has announced yet stay longer, up to
/// [`UNCLAIMED_FACTOR`](FeedRetention::UNCLAIMED_FACTOR) times as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedRetention {
    /// The greatest number of events.
    pub events: u32,
    /// The greatest length of their data together, in bytes.
    pub bytes: u64,
    /// The greatest age of an event.
    pub age: Duration,
}

impl FeedRetention {
    /// So many times the number and the length that are kept may wait for their announcement.
    pub const UNCLAIMED_FACTOR: u32 = 4;

    /// How much is kept unless the settings say otherwise.
    pub const DEFAULT: FeedRetention =
        FeedRetention { events: 1000, bytes: 256 * 1024, age: Duration::from_secs(7 * 86_400) };

    /// When an event must have been taken to be young enough at the time `now`, both in milliseconds since 1970.
    pub fn oldest(&self, now: u64) -> u64 {
        now.saturating_sub(u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Default for FeedRetention {
    fn default() -> Self {
        FeedRetention::DEFAULT
    }
}

/// Why a stream has a gap: a listener may have missed events that it will not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// Some of the events are no longer kept.
    Expired,
    /// The service does not know the event that the listener has seen last: it has lost it, or the id is of another feed.
    Unknown,
    /// The feed was deleted.
    Deleted,
    /// A stream of all feeds below a route has no past.
    Prefix,
}

impl GapReason {
    /// The word by which clients know the reason.
    pub fn word(self) -> &'static str {
        match self {
            GapReason::Expired => "expired",
            GapReason::Unknown => "unknown",
            GapReason::Deleted => "deleted",
            GapReason::Prefix => "prefix",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_beyond_the_beginning_of_time_keeps_everything() {
        let retention = FeedRetention { age: Duration::MAX, ..FeedRetention::default() };
        assert_eq!(retention.oldest(7), 0);
        assert_eq!(FeedRetention::default().oldest(7 * 86_400_000 + 5), 5);
    }
}
