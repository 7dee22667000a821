//! In-process listeners: the embedded mode's stand-in for a proxy.
//!
//! The latest event of a topic wins: a reader too slow for one event finds the newest when it is ready, delays nobody
//! and costs no queue. A topic without listeners costs nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use crate::domain::{EventId, Topic};

/// The listeners of this process.
#[derive(Debug, Default)]
pub struct Hub {
    rooms: Mutex<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    by_topic: HashMap<Topic, watch::Sender<Option<Event>>>,
    closed: bool,
}

/// An event as listeners get it: encoded once, shared by all of them.
#[derive(Clone, Debug)]
struct Event {
    id: EventId,
    bytes: Bytes,
}

/// One listener's ear. Dropping it leaves the topic.
#[derive(Debug)]
pub struct Listener {
    hub: Arc<Hub>,
    topic: Topic,
    /// Always there until the listener is dropped.
    events: Option<watch::Receiver<Option<Event>>>,
    seen: EventId,
}

impl Hub {
    /// Hands the encoded event to the topic's listeners. An event that is not newer than the last one is dropped.
    pub fn publish(&self, topic: &Topic, id: EventId, bytes: impl Into<Bytes>) {
        let Some(room) = self.rooms().by_topic.get(topic).cloned() else { return };
        // Outside of the lock: waking thousands of listeners must not keep others from joining elsewhere.
        let event = Event { id, bytes: bytes.into() };
        room.send_if_modified(|last| {
            let news = last.as_ref().is_none_or(|last| last.id.is_older_than(id));
            if news {
                *last = Some(event);
            }
            news
        });
    }

    /// Joins a topic, or `None` once the hub has closed. Join first, then read the value, then [`Listener::skip_to`] what was
    /// read: so nothing is missed in between.
    pub fn listen(self: &Arc<Self>, topic: &Topic) -> Option<Listener> {
        let mut rooms = self.rooms();
        if rooms.closed {
            return None;
        }
        let room = rooms.by_topic.entry(topic.clone()).or_insert_with(|| watch::channel(None).0);
        let mut events = room.subscribe();
        let seen = events.borrow_and_update().as_ref().map(|event| event.id).unwrap_or_default();
        Some(Listener { hub: Arc::clone(self), topic: topic.clone(), events: Some(events), seen })
    }

    /// Ends every stream, and those that come later: the process is about to stop.
    pub fn close(&self) {
        let mut rooms = self.rooms();
        rooms.closed = true;
        rooms.by_topic.clear();
    }

    /// How many listeners there are.
    pub fn listeners(&self) -> usize {
        self.rooms().by_topic.values().map(watch::Sender::receiver_count).sum()
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Declares that the listener has been shown the value at `id`: only newer events follow.
    pub fn skip_to(&mut self, id: EventId) {
        self.seen = id;
        if let Some(events) = &mut self.events {
            events.mark_changed();
        }
    }

    /// The next event, encoded; the newest, if there were several. `None` when the hub has closed. Cancel safe.
    pub async fn next(&mut self) -> Option<Bytes> {
        let events = self.events.as_mut()?;
        loop {
            events.changed().await.ok()?;
            if let Some(event) = &*events.borrow_and_update()
                && self.seen.is_older_than(event.id)
            {
                self.seen = event.id;
                return Some(event.bytes.clone());
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut rooms = self.hub.rooms();
        // The last one out closes the room. It must have left under the lock: else two that leave at once would both
        // see the other.
        self.events = None;
        if rooms.by_topic.get(&self.topic).is_some_and(|room| room.receiver_count() == 0) {
            rooms.by_topic.remove(&self.topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Epoch;

    fn topic() -> Topic {
        "counter-1".parse().expect("a topic")
    }

    fn id(revision: u64) -> EventId {
        EventId { epoch: Epoch::new(9), revision }
    }

    #[tokio::test]
    async fn a_listener_gets_what_is_newer_than_what_it_was_shown() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen(&topic()).expect("open");
        hub.publish(&topic(), id(3), "three");
        listener.skip_to(id(3));
        hub.publish(&topic(), id(4), "four");
        assert_eq!(listener.next().await, Some(Bytes::from("four")));
    }

    #[tokio::test]
    async fn what_was_published_between_joining_and_reading_is_not_missed() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen(&topic()).expect("open");
        hub.publish(&topic(), id(5), "five");
        listener.skip_to(id(4));
        assert_eq!(listener.next().await, Some(Bytes::from("five")));
    }

    #[tokio::test]
    async fn a_slow_listener_gets_the_latest_only_and_an_old_event_reaches_nobody() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen(&topic()).expect("open");
        for revision in [1, 2, 9, 4] {
            hub.publish(&topic(), id(revision), revision.to_string());
        }
        assert_eq!(listener.next().await, Some(Bytes::from("9")));
        hub.close();
        assert_eq!(listener.next().await, None);
    }

    #[tokio::test]
    async fn a_store_that_lost_its_memory_still_reaches_listeners() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen(&topic()).expect("open");
        hub.publish(&topic(), id(90), "ninety");
        listener.next().await;
        hub.publish(&topic(), EventId { epoch: Epoch::new(10), revision: 1 }, "one");
        assert_eq!(listener.next().await, Some(Bytes::from("one")));
    }

    #[test]
    fn rooms_are_cleared_when_the_last_listener_leaves() {
        let hub = Arc::new(Hub::default());
        let (first, second) = (hub.listen(&topic()), hub.listen(&topic()));
        assert_eq!(hub.listeners(), 2);
        drop(first);
        assert_eq!(hub.listeners(), 1);
        drop(second);
        assert!(hub.rooms().by_topic.is_empty());
    }

    #[test]
    fn a_closed_hub_takes_no_listeners() {
        let hub = Arc::new(Hub::default());
        hub.close();
        assert!(hub.listen(&topic()).is_none());
    }
}
