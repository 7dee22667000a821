//! A listener to a feed, which gets every event and not the newest only.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;

use super::listeners::{Place, WorkerListeners};
use super::ring::Next;
use crate::domain::{EventId, Topic};

/// One listener to a feed: a stream of links. It ends when the hub has closed. A dropped listener has left the feed.
#[derive(Debug)]
pub struct FeedListener {
    place: Place,
    seen: EventId,
}

/// What a listener to a feed gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedNews {
    /// The encoded events that follow on those that the listener has seen.
    Events(Bytes),
    /// The listener has missed events that the hub no longer has. It must read them from the store, and then call
    /// [`FeedListener::skip_to`]: until then it gets this again.
    Behind,
}

impl WorkerListeners {
    /// Joins a feed; `None` if the hub has closed. As with [`listen`](Self::listen), callers must join first, then read the store, then
    /// call [`FeedListener::skip_to`].
    pub fn listen_to_feed(self: &Arc<Self>, feed: &Topic) -> Option<FeedListener> {
        let (place, _) = self.join(feed)?;
        let seen = place.lock().ring.last().unwrap_or_default();
        Some(FeedListener { place, seen })
    }
}

impl FeedListener {
    /// Declares that the listener has been shown the event with this id and all before it.
    pub fn skip_to(&mut self, id: EventId) {
        self.seen = id;
    }

    /// Declares that the listener goes on with the next events, whatever it has missed.
    pub fn skip_to_newest(&mut self) {
        self.seen = self.place.lock().ring.last().unwrap_or(self.seen);
    }

    /// The event that the listener was shown last.
    pub fn seen(&self) -> EventId {
        self.seen
    }
}

impl Stream for FeedListener {
    type Item = FeedNews;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<FeedNews>> {
        let FeedListener { place, seen } = &mut *self;
        let mut table = place.lock();
        match table.ring.after(*seen) {
            Next::Events(id, bytes) => {
                *seen = id;
                return Poll::Ready(Some(FeedNews::Events(bytes)));
            }
            Next::Behind => return Poll::Ready(Some(FeedNews::Behind)),
            Next::Nothing if table.closed => return Poll::Ready(None),
            Next::Nothing => {}
        }
        place.wait(&mut table, context, *seen);
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::super::Hub;
    use super::*;
    use crate::domain::Epoch;

    fn feed() -> Topic {
        "feed-app/chat".parse().expect("a topic")
    }

    fn id(revision: u64) -> EventId {
        EventId { epoch: Epoch::new(9), revision }
    }

    fn events(text: &'static str) -> Option<FeedNews> {
        Some(FeedNews::Events(Bytes::from_static(text.as_bytes())))
    }

    #[tokio::test]
    async fn a_slow_listener_gets_every_event_in_order() {
        let hub = Hub::default();
        let mut listener = hub.worker().listen_to_feed(&feed()).expect("open");
        listener.skip_to(id(2));
        hub.append(&feed(), id(2), id(4), "three, four");
        hub.append(&feed(), id(4), id(5), "five");
        hub.append(&feed(), id(4), id(5), "five");
        assert_eq!((listener.next().await, listener.next().await), (events("three, four"), events("five")));
        hub.close();
        assert_eq!(listener.next().await, None);
    }

    #[tokio::test]
    async fn a_waiter_is_woken_by_each_event() {
        let hub = Hub::default();
        let mut listener = hub.worker().listen_to_feed(&feed()).expect("open");
        let heard = tokio::spawn(async move { (listener.next().await, listener.next().await) });
        for (prev, revision, text) in [(EventId::default(), 1, "one"), (id(1), 2, "two")] {
            tokio::task::yield_now().await;
            hub.append(&feed(), prev, id(revision), text);
            tokio::task::yield_now().await;
        }
        assert_eq!(heard.await.expect("both"), (events("one"), events("two")));
    }

    #[tokio::test]
    async fn a_listener_that_has_missed_more_than_the_ring_has_is_told_so() {
        let hub = Hub::default();
        let mut listener = hub.worker().listen_to_feed(&feed()).expect("open");
        listener.skip_to(id(1));
        hub.append(&feed(), id(3), id(4), "four");
        assert_eq!(listener.next().await, Some(FeedNews::Behind));
        assert_eq!(listener.next().await, Some(FeedNews::Behind), "until it has read the store");
        listener.skip_to(id(4));
        hub.append(&feed(), id(4), id(5), "five");
        assert_eq!(listener.next().await, events("five"));
        hub.append(&feed(), id(8), id(9), "nine");
        listener.skip_to_newest();
        assert_eq!(listener.seen(), id(9));
    }

    #[tokio::test]
    async fn a_stream_of_several_feeds_gets_what_is_appended_to_any() {
        let hub = Hub::default();
        let prefix: Topic = "feed-app/*".parse().expect("a topic");
        let mut listener = hub.worker().listen_to_feed(&prefix).expect("open");
        hub.append_unchained(&prefix, "a");
        hub.append_unchained(&prefix, "b");
        assert_eq!((listener.next().await, listener.next().await), (events("a"), events("b")));
        for number in 0..100 {
            hub.append_unchained(&prefix, number.to_string());
        }
        assert_eq!(listener.next().await, Some(FeedNews::Behind));
        listener.skip_to_newest();
        hub.append_unchained(&prefix, "c");
        assert_eq!(listener.next().await, events("c"));
    }
}
