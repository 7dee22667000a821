//! The listeners of one worker.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use slab::Slab;
use tokio::sync::Notify;

use super::Event;
use crate::domain::{EventId, Topic};

/// How many listeners are woken before the worker turns to what else has come: requests, and newer events.
const AT_ONCE: usize = 64;

/// A worker's share of the hub.
#[derive(Debug, Default)]
pub struct Branch {
    rooms: Mutex<Rooms>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Rooms {
    by_topic: HashMap<Topic, Arc<Room>>,
    /// Those with news of which their listeners do not know yet.
    ringing: Vec<Arc<Room>>,
    closed: bool,
}

/// Where the listeners to a topic are.
#[derive(Debug, Default)]
struct Room(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    last: Option<Event>,
    /// Those of the listeners that are there, in any order: what is looked through for each event.
    ears: Vec<Ear>,
    /// Where among them each listener's is.
    places: Slab<usize>,
    ringing: bool,
    closed: bool,
}

/// A listener's place in a room.
#[derive(Debug)]
struct Ear {
    /// Which listener's: the key of its place.
    listener: usize,
    waiting: Option<Waiting>,
}

/// Who is to be woken by what is newer than what was seen.
#[derive(Debug)]
struct Waiting {
    waker: Waker,
    seen: EventId,
}

/// One listener: a stream of events, encoded; of several the newest. Ends when the hub has closed. Dropping it leaves the
/// topic.
#[derive(Debug)]
pub struct Listener {
    branch: Arc<Branch>,
    topic: Topic,
    room: Arc<Room>,
    place: usize,
    seen: EventId,
}

impl Branch {
    /// A branch whose listeners are woken by the thread that this is called on.
    pub(super) fn start() -> Arc<Self> {
        let branch = Arc::<Self>::default();
        tokio::spawn(Arc::clone(&branch).wake_listeners());
        branch
    }

    /// Joins a topic, or `None` once the hub has closed. Join first, then read the value, then [`Listener::skip_to`] what was
    /// read: so nothing is missed in between.
    pub fn listen(self: &Arc<Self>, topic: &Topic) -> Option<Listener> {
        let mut rooms = self.rooms();
        if rooms.closed {
            return None;
        }
        let room = Arc::clone(rooms.by_topic.entry(topic.clone()).or_default());
        // As leaving, under the lock of the rooms: who joins must not find a room that is just being removed.
        let (place, seen) = room.inside().join();
        Some(Listener { branch: Arc::clone(self), topic: topic.clone(), room, place, seen })
    }

    pub(super) fn publish(&self, topic: &Topic, event: &Event) {
        let mut rooms = self.rooms();
        let Some(room) = rooms.by_topic.get(topic) else { return };
        if room.inside().tell(event) {
            let room = Arc::clone(room);
            rooms.ringing.push(room);
            self.bell.notify_one();
        }
    }

    pub(super) fn close(&self) {
        let mut rooms = self.rooms();
        rooms.closed = true;
        rooms.ringing = rooms.by_topic.drain().map(|(_, room)| room).collect();
        rooms.ringing.iter().for_each(|room| room.inside().closed = true);
        self.bell.notify_one();
    }

    pub(super) fn listeners(&self) -> usize {
        self.rooms().by_topic.values().map(|room| room.inside().ears.len()).sum()
    }

    /// Wakes the listeners of the rooms with news, until the hub closes.
    async fn wake_listeners(self: Arc<Self>) {
        let mut woken = 0;
        loop {
            self.bell.notified().await;
            let (ringing, closed) = {
                let mut rooms = self.rooms();
                (std::mem::take(&mut rooms.ringing), rooms.closed)
            };
            for room in ringing {
                for wakers in room.answer_the_bell() {
                    woken += wakers.len();
                    wakers.into_iter().for_each(Waker::wake);
                    if woken >= AT_ONCE {
                        woken = 0;
                        tokio::task::yield_now().await;
                    }
                }
            }
            if closed {
                return;
            }
        }
    }

    fn leave(&self, topic: &Topic, room: &Room, place: usize) {
        let mut rooms = self.rooms();
        let mut inside = room.inside();
        inside.leave(place);
        if inside.ears.is_empty() {
            rooms.by_topic.remove(topic);
        }
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Those to wake, a few at a time; the room is not locked in between.
    fn answer_the_bell(&self) -> impl Iterator<Item = Vec<Waker>> {
        self.inside().ringing = false;
        let mut left = usize::MAX;
        std::iter::from_fn(move || {
            let wakers = self.inside().some_to_wake(&mut left);
            (!wakers.is_empty()).then_some(wakers)
        })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn join(&mut self) -> (usize, EventId) {
        let seen = self.last.as_ref().map(|event| event.id).unwrap_or_default();
        let place = self.places.insert(self.ears.len());
        self.ears.push(Ear { listener: place, waiting: None });
        (place, seen)
    }

    fn leave(&mut self, place: usize) {
        let at = self.places.remove(place);
        self.ears.swap_remove(at);
        if let Some(moved) = self.ears.get(at) {
            self.places[moved.listener] = at;
        }
    }

    /// Returns whether the bell has to be rung for it.
    fn tell(&mut self, event: &Event) -> bool {
        let news = self.last.as_ref().is_none_or(|last| last.id.is_older_than(event.id));
        if news {
            self.last = Some(event.clone());
        }
        news && !std::mem::replace(&mut self.ringing, true)
    }

    /// What there is for who has seen this.
    fn after(&self, seen: EventId) -> Option<&Event> {
        self.last.as_ref().filter(|last| seen.is_older_than(last.id))
    }

    /// Some of those to wake, of the `left` first ears: who has something to hear, but for those who have looked of their own
    /// accord since. Nobody, when all have been passed. From the last to the first, since who leaves meanwhile has the last
    /// one take its place: that one has been passed.
    fn some_to_wake(&mut self, left: &mut usize) -> Vec<Waker> {
        let Inside { last, ears, closed, .. } = self;
        let last = last.as_ref().map(|event| event.id).unwrap_or_default();
        let mut wakers = Vec::new();
        *left = ears.len().min(*left);
        while *left > 0 && wakers.len() < AT_ONCE {
            *left -= 1;
            let waiting = &mut ears[*left].waiting;
            let waiting = waiting.take_if(|waiting| *closed || waiting.seen.is_older_than(last));
            wakers.extend(waiting.map(|waiting| waiting.waker));
        }
        wakers
    }
}

impl Listener {
    /// Declares that the listener has been shown the value at `id`: only newer events follow.
    pub fn skip_to(&mut self, id: EventId) {
        self.seen = id;
    }
}

impl Stream for Listener {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Listener { room, place, seen, .. } = &mut *self;
        let mut inside = room.inside();
        if let Some(event) = inside.after(*seen) {
            *seen = event.id;
            return Poll::Ready(Some(event.bytes.clone()));
        }
        if inside.closed {
            return Poll::Ready(None);
        }
        let at = inside.places[*place];
        inside.ears[at].waiting = Some(Waiting { waker: context.waker().clone(), seen: *seen });
        Poll::Pending
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.branch.leave(&self.topic, &self.room, self.place);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use futures_util::StreamExt;

    use super::super::Hub;
    use super::*;
    use crate::domain::Epoch;

    fn topic() -> Topic {
        "counter-1".parse().expect("a topic")
    }

    fn id(revision: u64) -> EventId {
        EventId { epoch: Epoch::new(9), revision }
    }

    fn joined() -> (Hub, Listener) {
        let hub = Hub::default();
        let listener = hub.branch().listen(&topic()).expect("open");
        (hub, listener)
    }

    #[tokio::test]
    async fn a_listener_gets_what_is_newer_than_what_it_was_shown() {
        let (hub, mut listener) = joined();
        hub.publish(&topic(), id(3), "three");
        listener.skip_to(id(3));
        hub.publish(&topic(), id(4), "four");
        assert_eq!(listener.next().await, Some(Bytes::from("four")));
    }

    #[tokio::test]
    async fn what_was_published_between_joining_and_reading_is_not_missed() {
        let (hub, mut listener) = joined();
        hub.publish(&topic(), id(5), "five");
        listener.skip_to(id(4));
        assert_eq!(listener.next().await, Some(Bytes::from("five")));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let (hub, mut listener) = joined();
        let heard = tokio::spawn(async move { (listener.next().await, listener.next().await) });
        for (revision, text) in [(1, "one"), (2, "two")] {
            tokio::task::yield_now().await;
            hub.publish(&topic(), id(revision), text);
            tokio::task::yield_now().await;
        }
        assert_eq!(heard.await.expect("both"), (Some(Bytes::from("one")), Some(Bytes::from("two"))));
    }

    #[tokio::test]
    async fn a_slow_listener_gets_the_latest_only_and_an_old_event_reaches_nobody() {
        let (hub, listener) = joined();
        for revision in [1, 2, 9, 4] {
            hub.publish(&topic(), id(revision), revision.to_string());
        }
        hub.close();
        assert_eq!(listener.collect::<Vec<_>>().await, ["9"]);
    }

    #[tokio::test]
    async fn a_store_that_lost_its_memory_still_reaches_listeners() {
        let (hub, mut listener) = joined();
        hub.publish(&topic(), id(90), "ninety");
        listener.next().await;
        hub.publish(&topic(), EventId { epoch: Epoch::new(10), revision: 1 }, "one");
        assert_eq!(listener.next().await, Some(Bytes::from("one")));
    }

    #[tokio::test]
    async fn every_branch_with_listeners_gets_the_event() {
        let hub = Hub::default();
        let [mut first, mut second] = [(), ()].map(|()| hub.branch().listen(&topic()).expect("open"));
        assert_eq!(hub.listeners(), 2);
        hub.publish(&topic(), id(1), "one");
        let heard = (first.next().await, second.next().await);
        assert_eq!(heard, (Some(Bytes::from("one")), Some(Bytes::from("one"))));
    }

    #[tokio::test]
    async fn the_last_to_leave_closes_the_room() {
        let hub = Hub::default();
        let branch = hub.branch();
        let (first, second) = (branch.listen(&topic()), branch.listen(&topic()));
        assert_eq!(hub.listeners(), 2);
        drop(first);
        assert_eq!((hub.listeners(), branch.rooms().by_topic.len()), (1, 1));
        drop(second);
        assert_eq!((hub.listeners(), branch.rooms().by_topic.len()), (0, 0));
    }

    #[tokio::test]
    async fn of_those_who_have_left_nothing_is_looked_through() {
        let hub = Hub::default();
        let branch = hub.branch();
        let mut listeners: Vec<_> = (0..10_000).filter_map(|_| branch.listen(&topic())).collect();
        let mut last = listeners.swap_remove(5_000);
        drop(listeners);
        assert_eq!(last.room.inside().ears.len(), 1);
        let heard = tokio::spawn(async move { last.next().await });
        tokio::task::yield_now().await;
        hub.publish(&topic(), id(1), "one");
        assert_eq!(heard.await.expect("the listener's end"), Some(Bytes::from("one")));
    }

    #[tokio::test]
    async fn whoever_leaves_while_others_are_woken_keeps_nobody_asleep() {
        let (hub, all) = (Hub::default(), 5 * AT_ONCE);
        let (branch, heard) = (hub.branch(), Arc::new(AtomicUsize::new(0)));
        for number in 0..all {
            let (mut listener, heard) = (branch.listen(&topic()).expect("open"), Arc::clone(&heard));
            tokio::spawn(async move {
                listener.next().await;
                heard.fetch_add(1, Relaxed);
                // Every other one stays, and what it was in changes around it.
                if number % 2 == 0 {
                    listener.next().await;
                }
            });
        }
        tokio::task::yield_now().await;
        hub.publish(&topic(), id(1), "one");
        for _ in 0..10 * all {
            tokio::task::yield_now().await;
        }
        assert_eq!((heard.load(Relaxed), hub.listeners()), (all, all / 2));
    }

    #[tokio::test]
    async fn a_closed_hub_takes_no_listeners_and_ends_those_there_are() {
        let hub = Hub::default();
        let branch = hub.branch();
        let mut waiting = branch.listen(&topic()).expect("open");
        let ended = tokio::spawn(async move { waiting.next().await });
        tokio::task::yield_now().await;
        hub.close();
        assert!(branch.listen(&topic()).is_none());
        assert_eq!(ended.await.expect("the listener's end"), None);
    }

    #[tokio::test]
    async fn other_work_gets_its_turn_between_the_listeners() {
        let (hub, all) = (Hub::default(), 4 * AT_ONCE);
        let (branch, heard) = (hub.branch(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..all {
            let (mut listener, heard) = (branch.listen(&topic()).expect("open"), Arc::clone(&heard));
            tokio::spawn(async move {
                listener.next().await;
                heard.fetch_add(1, Relaxed);
            });
        }
        tokio::task::yield_now().await;
        hub.publish(&topic(), id(1), "one");
        let mut turns = 0;
        while heard.load(Relaxed) < all {
            tokio::task::yield_now().await;
            turns += 1;
        }
        assert!(turns >= 4, "all of them were served in {turns} turns");
    }
}
