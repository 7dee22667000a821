//! The listeners of one worker to one topic: its last event, and the tasks that wait for a newer one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use slab::Slab;

use super::event::EncodedEvent;
use super::ring::{Link, Ring};
use crate::domain::EventId;

/// How many listeners are woken before the worker turns to its other tasks: requests, and newer events.
pub(super) const AT_ONCE: usize = 64;

/// The listeners of this worker to one topic.
#[derive(Debug, Default)]
pub(super) struct TopicListeners(Mutex<ListenerTable>);

#[derive(Debug, Default)]
pub(super) struct ListenerTable {
    pub(super) last: Option<EncodedEvent>,
    /// The last events, if the topic is a feed.
    pub(super) ring: Ring,
    /// The listeners, in any order. Each event is compared with all of them.
    pub(super) entries: Vec<TopicListener>,
    /// The index of each listener in `entries`.
    pub(super) places: Slab<usize>,
    pub(super) to_wake: bool,
    pub(super) closed: bool,
}

/// A listener to a topic.
#[derive(Debug)]
pub(super) struct TopicListener {
    /// The listener's key in `places`.
    pub(super) listener: usize,
    pub(super) waiter: Option<Waiter>,
}

/// A task that waits for an event newer than the last one of its listener.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) waker: Waker,
    pub(super) seen: EventId,
}

impl TopicListeners {
    /// The wakers of the tasks to wake, a few at a time. The lock is free in between.
    pub(super) fn wakers(&self) -> impl Iterator<Item = Vec<Waker>> {
        self.lock().to_wake = false;
        let mut left = usize::MAX;
        std::iter::from_fn(move || {
            let wakers = self.lock().some_to_wake(&mut left);
            (!wakers.is_empty()).then_some(wakers)
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ListenerTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ListenerTable {
    pub(super) fn join(&mut self) -> (usize, EventId) {
        let seen = self.last.as_ref().map(|event| event.id).unwrap_or_default();
        let place = self.places.insert(self.entries.len());
        self.entries.push(TopicListener { listener: place, waiter: None });
        (place, seen)
    }

    pub(super) fn leave(&mut self, place: usize) {
        let at = self.places.remove(place);
        self.entries.swap_remove(at);
        if let Some(moved) = self.entries.get(at) {
            self.places[moved.listener] = at;
        }
    }

    /// Keeps the event if it is newer. Returns whether the worker must be woken for this topic.
    pub(super) fn offer(&mut self, event: &EncodedEvent) -> bool {
        let news = self.last.as_ref().is_none_or(|last| last.id.is_older_than(event.id));
        if news {
            self.last = Some(event.clone());
        }
        news && !std::mem::replace(&mut self.to_wake, true)
    }

    /// Keeps events of a feed. Returns whether the worker must be woken for this topic.
    pub(super) fn append(&mut self, link: impl FnOnce(EventId) -> Link) -> bool {
        let link = link(self.ring.last().unwrap_or_default());
        self.ring.push(link) && !std::mem::replace(&mut self.to_wake, true)
    }

    /// The last event, if it is newer than the event `seen` of a listener.
    pub(super) fn after(&self, seen: EventId) -> Option<&EncodedEvent> {
        self.last.as_ref().filter(|last| seen.is_older_than(last.id))
    }

    /// Takes the wakers of some tasks to wake out of the first `left` entries, and lowers `left` by the number of entries that
    /// were checked. A listener that has polled in the meantime has the event already and is not woken. Empty at the end.
    pub(super) fn some_to_wake(&mut self, left: &mut usize) -> Vec<Waker> {
        let ListenerTable { last, ring, entries, closed, .. } = self;
        let last = ring.last().or(last.as_ref().map(|event| event.id)).unwrap_or_default();
        let mut wakers = Vec::new();
        *left = entries.len().min(*left);
        while *left > 0 && wakers.len() < AT_ONCE {
            *left -= 1;
            let waiter = &mut entries[*left].waiter;
            let waiter = waiter.take_if(|waiter| *closed || waiter.seen.is_older_than(last));
            wakers.extend(waiter.map(|waiter| waiter.waker));
        }
        wakers
    }
}
