//! Pushpin as it was measured: it puts items in order by their prev-ids, drops ids that it knows, and asks the origin for each listener
//! that has missed something. Each listener has its own connection.

use livecounter::domain::EventId;

use crate::spec::Time;

pub(crate) const MESSAGE_WAIT: Time = 500;
pub(crate) const ID_CACHE: Time = 60_000;

/// An item that is published or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item<C> {
    pub(crate) id: EventId,
    pub(crate) prev: EventId,
    pub(crate) content: C,
}

/// An origin's answer to a reader: what the reader gets, and the id that the next item follows.
#[derive(Clone, Debug)]
pub(crate) struct Answer<C> {
    pub(crate) published: EventId,
    pub(crate) content: C,
}

/// A proxy's state of the channel.
#[derive(Clone, Debug)]
pub(crate) struct Proxy<C> {
    /// Whether the proxy heeds the prev-ids. Without them it passes on every item in the order in which it arrives.
    heeds_links: bool,
    /// The id of the item that it published last.
    last: Option<EventId>,
    /// The ids that it has received, and when.
    known: Vec<(EventId, Time)>,
    /// Items whose prev-id does not fit, and the time until which they wait for the missing item.
    pub(crate) waiting: Vec<(Item<C>, Time)>,
    /// Items on their way to it, and since when.
    pub(crate) network: Vec<(Item<C>, Time)>,
}

impl<C: Clone> Proxy<C> {
    /// A proxy with empty memory.
    pub(crate) fn start(heeds_links: bool) -> Self {
        Proxy { heeds_links, last: None, known: Vec::new(), waiting: Vec::new(), network: Vec::new() }
    }

    /// Takes an item; returns what goes to the listeners.
    pub(crate) fn take(&mut self, item: Item<C>, now: Time) -> Vec<Item<C>> {
        self.known.retain(|(_, at)| at + ID_CACHE > now);
        if self.known.iter().any(|(id, _)| *id == item.id) {
            return Vec::new();
        }
        self.known.push((item.id, now));
        if self.heeds_links && self.last.is_some_and(|last| last != item.prev) {
            self.waiting.push((item, now + MESSAGE_WAIT));
            return Vec::new();
        }
        self.send(item)
    }

    /// The items that have waited long enough.
    pub(crate) fn expire(&mut self, now: Time) -> Vec<Item<C>> {
        match self.waiting.iter().position(|(_, until)| *until <= now) {
            Some(index) => {
                let (item, _) = self.waiting.remove(index);
                self.send(item)
            }
            None => Vec::new(),
        }
    }

    /// Takes one of the items that are on their way to the proxy.
    pub(crate) fn next_of_network(&mut self, which: usize) -> Option<Item<C>> {
        let count = self.network.len();
        (count > 0).then(|| self.network.remove(which % count).0)
    }

    /// Drops items that have been on their way for so long.
    pub(crate) fn lose_older_than(&mut self, now: Time, latest: Time) {
        self.network.retain(|(_, since)| now < since + latest);
    }

    fn send(&mut self, item: Item<C>) -> Vec<Item<C>> {
        self.last = Some(item.id);
        let mut sent = vec![item];
        while let Some(index) = self.waiting.iter().position(|(item, _)| Some(item.prev) == self.last) {
            let (item, _) = self.waiting.remove(index);
            self.last = Some(item.id);
            sent.push(item);
        }
        sent
    }

    /// Whether a listener that joins with this hold has missed something. With the first difference the proxy forgets the id that it published
    /// last.
    fn misses(&mut self, hold: EventId) -> bool {
        let differs = self.last.is_some_and(|last| last != hold);
        if differs {
            self.last = None;
        }
        differs && self.heeds_links
    }
}

/// An open stream that a proxy holds.
#[derive(Clone, Debug)]
pub(crate) struct Session<C> {
    pub(crate) proxy: usize,
    heeds_links: bool,
    /// The id of the last item that the session has passed on.
    pub(crate) prev: EventId,
    pub(crate) asking: Asking<C>,
    /// The items that came during a recovery.
    queue: Vec<Item<C>>,
}

/// A recovery.
#[derive(Clone, Debug)]
pub(crate) enum Asking<C> {
    No,
    /// The request, with the last id of the session.
    Sent,
    /// The answer is on its way.
    Answered(Answer<C>),
}

impl<C: Clone> Session<C> {
    /// Begins behind the answer of an origin or a cache that said `published`.
    pub(crate) fn begin(proxy: usize, at: &mut Proxy<C>, published: EventId) -> Self {
        let asking = if at.misses(published) { Asking::Sent } else { Asking::No };
        Session { proxy, heeds_links: at.heeds_links, prev: published, asking, queue: Vec::new() }
    }

    /// The session gets an item. Returns what the listener is shown.
    pub(crate) fn offer(&mut self, item: Item<C>) -> Option<C> {
        if !matches!(self.asking, Asking::No) {
            self.queue.push(item);
            return None;
        }
        if item.prev != self.prev && self.heeds_links {
            self.queue.clear();
            self.asking = Asking::Sent;
            return None;
        }
        self.prev = item.id;
        Some(item.content)
    }

    /// Begins a recovery, as the session has been silent for long enough.
    pub(crate) fn ask(&mut self) {
        if let Asking::No = self.asking {
            self.asking = Asking::Sent;
        }
    }

    /// The recovery's answer arrives: something to show if the session had missed something, and the session's new id. Returns all that the
    /// listener is shown.
    pub(crate) fn recovered(&mut self) -> Vec<C> {
        let Asking::Answered(Answer { published, content }) = std::mem::replace(&mut self.asking, Asking::No)
        else {
            return Vec::new();
        };
        let mut shown = Vec::new();
        if published != self.prev {
            shown.push(content);
        }
        self.prev = published;
        for item in std::mem::take(&mut self.queue) {
            shown.extend(self.offer(item));
        }
        shown
    }
}
