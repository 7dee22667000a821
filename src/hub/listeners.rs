//! The listeners of one worker.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::Notify;

use super::event::EncodedEvent;
use super::ring::Link;
use super::topic_listeners::{AT_ONCE, ListenerTable, TopicListeners, Waiter};
use crate::domain::{EventId, Topic};

/// The listeners of one worker thread, by topic.
#[derive(Debug, Default)]
pub struct WorkerListeners {
    topics: Mutex<TopicMap>,
    wake_up: Notify,
}

#[derive(Debug, Default)]
struct TopicMap {
    by_topic: HashMap<Topic, Arc<TopicListeners>>,
    /// Topics with a new event, for which the hub has not woken the listeners yet.
    to_wake: Vec<Arc<TopicListeners>>,
    closed: bool,
}

/// One listener: a stream of encoded events. If several events come between two polls, the stream gives the newest only. The
/// stream ends when the hub has closed. A dropped listener has left the topic.
#[derive(Debug)]
pub struct Listener {
    place: Place,
    seen: EventId,
}

/// The place of one listener among those of its topic. When it is dropped, the listener has left the topic.
#[derive(Debug)]
pub(super) struct Place {
    worker: Arc<WorkerListeners>,
    topic: Topic,
    listeners: Arc<TopicListeners>,
    place: usize,
}

impl WorkerListeners {
    /// A new set of listeners. A task on the calling thread's runtime wakes them.
    pub(super) fn start() -> Arc<Self> {
        let worker = Arc::<Self>::default();
        tokio::spawn(Arc::clone(&worker).wake_listeners());
        worker
    }

    /// Joins a topic; `None` if the hub has closed. Callers must join first, then read the value, then call [`Listener::skip_to`]
    /// with the id of the value: then the listener misses no event in between.
    pub fn listen(self: &Arc<Self>, topic: &Topic) -> Option<Listener> {
        self.join(topic).map(|(place, seen)| Listener { place, seen })
    }

    /// A place among the listeners of a topic, and the id of the topic's last event.
    pub(super) fn join(self: &Arc<Self>, topic: &Topic) -> Option<(Place, EventId)> {
        let mut topics = self.topics();
        if topics.closed {
            return None;
        }
        let listeners = Arc::clone(topics.by_topic.entry(topic.clone()).or_default());
        // Joining and leaving both hold the lock of all topics, as a listener must not join a topic that is being removed.
        let (place, seen) = listeners.lock().join();
        Some((Place { worker: Arc::clone(self), topic: topic.clone(), listeners, place }, seen))
    }

    /// Whether the topic has listeners here.
    pub(super) fn has_listeners(&self, topic: &Topic) -> bool {
        self.topics().by_topic.contains_key(topic)
    }

    pub(super) fn publish(&self, topic: &Topic, event: &EncodedEvent) {
        self.offer(topic, |table| table.offer(event));
    }

    /// Keeps events of a feed; `link` makes them of the id of the last event.
    pub(super) fn append(&self, feed: &Topic, link: impl FnOnce(EventId) -> Link) {
        self.offer(feed, |table| table.append(link));
    }

    /// Gives the listeners of a topic something; `offer` returns whether the worker must be woken for the topic.
    fn offer(&self, topic: &Topic, offer: impl FnOnce(&mut ListenerTable) -> bool) {
        let mut topics = self.topics();
        let Some(listeners) = topics.by_topic.get(topic) else { return };
        if offer(&mut listeners.lock()) {
            let listeners = Arc::clone(listeners);
            topics.to_wake.push(listeners);
            self.wake_up.notify_one();
        }
    }

    pub(super) fn close(&self) {
        let mut topics = self.topics();
        topics.closed = true;
        topics.to_wake = topics.by_topic.drain().map(|(_, listeners)| listeners).collect();
        topics.to_wake.iter().for_each(|listeners| listeners.lock().closed = true);
        self.wake_up.notify_one();
    }

    pub(super) fn listeners(&self) -> usize {
        self.topics().by_topic.values().map(|listeners| listeners.lock().entries.len()).sum()
    }

    /// Wakes the listeners of topics that have a new event, until the hub closes.
    async fn wake_listeners(self: Arc<Self>) {
        let mut woken = 0;
        loop {
            self.wake_up.notified().await;
            let (to_wake, closed) = {
                let mut topics = self.topics();
                (std::mem::take(&mut topics.to_wake), topics.closed)
            };
            for listeners in to_wake {
                for wakers in listeners.wakers() {
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

    fn leave(&self, topic: &Topic, listeners: &TopicListeners, place: usize) {
        let mut topics = self.topics();
        let mut state = listeners.lock();
        state.leave(place);
        if state.entries.is_empty() {
            topics.by_topic.remove(topic);
        }
    }

    fn topics(&self) -> MutexGuard<'_, TopicMap> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
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
        let Listener { place, seen } = &mut *self;
        let mut state = place.lock();
        if let Some(event) = state.after(*seen) {
            *seen = event.id;
            return Poll::Ready(Some(event.bytes.clone()));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        place.wait(&mut state, context, *seen);
        Poll::Pending
    }
}

impl Place {
    pub(super) fn lock(&self) -> MutexGuard<'_, ListenerTable> {
        self.listeners.lock()
    }

    /// Keeps the waker of the listener's task until there is an event that is newer than `seen`.
    pub(super) fn wait(&self, table: &mut ListenerTable, context: &Context<'_>, seen: EventId) {
        let at = table.places[self.place];
        table.entries[at].waiter = Some(Waiter { waker: context.waker().clone(), seen });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.leave(&self.topic, &self.listeners, self.place);
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
        let listener = hub.worker().listen(&topic()).expect("open");
        (hub, listener)
    }

    #[tokio::test]
    async fn a_listener_gets_only_newer_values_than_the_one_sent_to_it() {
        let (hub, mut listener) = joined();
        hub.publish(&topic(), id(3), "three");
        listener.skip_to(id(3));
        hub.publish(&topic(), id(4), "four");
        assert_eq!(listener.next().await, Some(Bytes::from("four")));
    }

    #[tokio::test]
    async fn a_value_published_between_joining_and_reading_is_not_missed() {
        let (hub, mut listener) = joined();
        hub.publish(&topic(), id(5), "five");
        listener.skip_to(id(4));
        assert_eq!(listener.next().await, Some(Bytes::from("five")));
    }

    #[tokio::test]
    async fn a_waiter_is_woken_by_each_event() {
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
    async fn a_slow_listener_gets_the_newest_event_only_and_no_old_one() {
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
    async fn the_listeners_of_every_worker_get_the_event() {
        let hub = Hub::default();
        let [mut first, mut second] = [(), ()].map(|()| hub.worker().listen(&topic()).expect("open"));
        assert_eq!(hub.listeners(), 2);
        hub.publish(&topic(), id(1), "one");
        let heard = (first.next().await, second.next().await);
        assert_eq!(heard, (Some(Bytes::from("one")), Some(Bytes::from("one"))));
    }

    #[tokio::test]
    async fn a_topic_is_removed_when_its_last_listener_leaves() {
        let hub = Hub::default();
        let worker = hub.worker();
        let counts = || {
            let topics = worker.topics().by_topic.len();
            (hub.listeners(), topics, hub.has_listeners(&topic()))
        };
        assert_eq!(counts(), (0, 0, false));
        let (first, second) = (worker.listen(&topic()), worker.listen(&topic()));
        assert_eq!(counts(), (2, 1, true));
        drop(first);
        assert_eq!(counts(), (1, 1, true));
        drop(second);
        assert_eq!(counts(), (0, 0, false));
    }

    #[tokio::test]
    async fn listeners_that_have_left_have_no_entries() {
        let hub = Hub::default();
        let worker = hub.worker();
        let mut listeners: Vec<_> = (0..10_000).filter_map(|_| worker.listen(&topic())).collect();
        let mut last = listeners.swap_remove(5_000);
        drop(listeners);
        assert_eq!(last.place.lock().entries.len(), 1);
        let heard = tokio::spawn(async move { last.next().await });
        tokio::task::yield_now().await;
        hub.publish(&topic(), id(1), "one");
        assert_eq!(heard.await.expect("the listener's end"), Some(Bytes::from("one")));
    }

    #[tokio::test]
    async fn listeners_that_leave_during_a_wake_up_do_not_keep_others_waiting() {
        let (hub, all) = (Hub::default(), 5 * AT_ONCE);
        let (worker, heard) = (hub.worker(), Arc::new(AtomicUsize::new(0)));
        for number in 0..all {
            let (mut listener, heard) = (worker.listen(&topic()).expect("open"), Arc::clone(&heard));
            tokio::spawn(async move {
                listener.next().await;
                heard.fetch_add(1, Relaxed);
                // Every other listener stays, while the table of entries changes around it.
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
    async fn a_closed_hub_takes_no_listeners_and_ends_the_present_ones() {
        let hub = Hub::default();
        let worker = hub.worker();
        let mut waiter = worker.listen(&topic()).expect("open");
        let ended = tokio::spawn(async move { waiter.next().await });
        tokio::task::yield_now().await;
        hub.close();
        assert!(worker.listen(&topic()).is_none());
        assert_eq!(ended.await.expect("the listener's end"), None);
    }

    #[tokio::test]
    async fn other_work_gets_its_turn_between_the_listeners() {
        let (hub, all) = (Hub::default(), 4 * AT_ONCE);
        let (worker, heard) = (hub.worker(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..all {
            let (mut listener, heard) = (worker.listen(&topic()).expect("open"), Arc::clone(&heard));
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
