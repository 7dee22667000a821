//! What listeners of a feed get of an announcement.

use crate::domain::{EventId, GapReason, Kind, Route, Topic};
use crate::sse;
use crate::store::{Announcement, Body};

/// The most bytes of events that one announcement has. Pushpin takes at most 1 MB in one request, in which quotes are two bytes long.
const MOST_BYTES: usize = 256 * 1024;

/// The events of one announcement as listeners get them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FeedItem {
    /// The event on which these events follow. If it is another one than the announcement says, listeners notice that they have missed something.
    pub(super) prev: EventId,
    pub(super) id: EventId,
    pub(super) content: String,
}

impl FeedItem {
    /// The events of a claim, as far as they fit: the newest ones. A claim without events is a gap.
    pub(super) fn of(feed: &Topic, announcement: &Announcement) -> Self {
        let Announcement { body, id, prev } = announcement;
        let (id, prev) = (*id, *prev);
        let Body::Events(events) = body else {
            return FeedItem { prev, id, content: sse::gap(None, feed, Some(prev), id, GapReason::Deleted) };
        };
        let mut bytes = 0;
        let fitting = events.iter().rev().take_while(|event| {
            bytes += event.data.as_str().len() + feed.name().len() + ABOUT_AN_EVENT;
            bytes <= MOST_BYTES
        });
        let events = &events[events.len() - fitting.count().max(1).min(events.len())..];
        let Some(first) = events.first() else {
            return FeedItem { prev, id, content: sse::gap(None, feed, Some(prev), id, GapReason::Expired) };
        };
        let follows = prev.revision + 1 == first.id.revision;
        let before = EventId { revision: first.id.revision.saturating_sub(1), ..first.id };
        let content =
            events.iter().map(|event| sse::render(None, feed.stream_id(event.id), event.data.as_str()));
        FeedItem { prev: if follows { prev } else { before }, id, content: content.collect() }
    }
}

/// How many bytes an event has besides its data and its topic.
const ABOUT_AN_EVENT: usize = 64;

/// The topics to which those listen that listen to all feeds below a route, for each route above the feed. The feeds of the service itself are not
/// among all feeds.
pub(super) fn listened_below(feed: &Topic) -> Vec<Topic> {
    let Some(route) = feed.feed_route().filter(|_| feed.kind() == Some(Kind::Feed)) else {
        return Vec::new();
    };
    let root = (!route.is_own()).then(|| Topic::feeds_below(None));
    let above = route.parents().map(|parent: Route| Topic::feeds_below(Some(&parent)));
    root.into_iter().chain(above).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Epoch, FeedEvent, JsonText};

    fn feed() -> Topic {
        "feed-app/chat".parse().expect("a topic")
    }

    fn id(revision: u64) -> EventId {
        EventId { epoch: Epoch::new(9), revision }
    }

    fn announcement(prev: u64, revisions: std::ops::RangeInclusive<u64>, data: &str) -> Announcement {
        let event = |revision| FeedEvent {
            id: id(revision),
            at: 0,
            data: JsonText::parse(data.as_bytes()).expect("JSON"),
        };
        let last = *revisions.end();
        let events: Vec<_> = revisions.map(event).collect();
        Announcement { body: Body::Events(events.into()), id: id(last), prev: id(prev) }
    }

    #[test]
    fn all_events_of_a_claim_are_one_item() {
        let item = FeedItem::of(&feed(), &announcement(6, 7..=8, "{\"a\":1}"));
        let content = "id: feed-app/chat@9-7\nevent: message\ndata: {\"a\":1}\n\n\
                       id: feed-app/chat@9-8\nevent: message\ndata: {\"a\":1}\n\n";
        assert_eq!(item, FeedItem { prev: id(6), id: id(8), content: content.into() });
    }

    #[test]
    fn a_listener_notices_that_events_were_left_out() {
        assert_eq!(FeedItem::of(&feed(), &announcement(3, 7..=8, "1")).prev, id(6), "4 to 6 are gone");
        let large = format!("\"{}\"", "x".repeat(16_000));
        let item = FeedItem::of(&feed(), &announcement(0, 1..=100, &large));
        assert!(item.content.len() <= MOST_BYTES && item.content.len() > MOST_BYTES / 2);
        let sent = item.content.matches("\n\n").count() as u64;
        assert_eq!((item.prev, item.id), (id(100 - sent), id(100)));
    }

    #[test]
    fn a_deleted_feed_is_a_gap() {
        let gone = Announcement { body: Body::Gone, id: id(9), prev: id(8) };
        let item = FeedItem::of(&feed(), &gone);
        assert_eq!((item.prev, item.id), (id(8), id(9)));
        assert!(item.content.contains("event: gap\n"), "{}", item.content);
    }

    #[test]
    fn all_routes_above_a_feed_are_listened_to() {
        let names = |feed: &str| {
            let feed: Topic = feed.parse().expect("a topic");
            listened_below(&feed).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names("feed-app/eu/chat"), ["feed-*", "feed-app/*", "feed-app/eu/*"]);
        assert_eq!(names("feed-chat"), ["feed-*"]);
        assert_eq!(names("feed-_admin/events"), ["feed-_admin/*"]);
        assert_eq!(names("counter-1"), [""; 0]);
    }
}
