//! Pushpin as it was measured: it puts items in order by their prev-ids, drops ids that it knows, and asks the origin for each listener
//! that has missed something. Each listener has its own connection.

use livecounter::domain::EventId;

use super::{Answer, Broken, ID_CACHE, Item, MESSAGE_WAIT, Shown};
use crate::spec::Time;

/// A proxy's state of the channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxy {
    /// The id of the item that it published last.
    last: Option<EventId>,
    /// The ids that it has received, and when.
    known: Vec<(EventId, Time)>,
    /// Items whose prev-id does not fit, and the time until which they wait for the missing item.
    pub(super) waiting: Vec<(Item, Time)>,
    /// Items on their way to it, and since when.
    pub(super) network: Vec<(Item, Time)>,
}

impl Proxy {
    /// Takes an item; returns what goes to the listeners.
    pub(super) fn take(&mut self, item: Item, now: Time, broken: Broken) -> Vec<Item> {
        self.known.retain(|(_, at)| at + ID_CACHE > now);
        if self.known.iter().any(|(id, _)| *id == item.id) {
            return Vec::new();
        }
        self.known.push((item.id, now));
        if broken != Broken::PrevId && self.last.is_some_and(|last| last != item.prev) {
            self.waiting.push((item, now + MESSAGE_WAIT));
            return Vec::new();
        }
        self.send(item)
    }

    /// The items that have waited long enough.
    pub(super) fn expire(&mut self, now: Time) -> Vec<Item> {
        match self.waiting.iter().position(|(_, until)| *until <= now) {
            Some(index) => {
                let (item, _) = self.waiting.remove(index);
                self.send(item)
            }
            None => Vec::new(),
        }
    }

    fn send(&mut self, item: Item) -> Vec<Item> {
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
        differs
    }
}

/// A client that wants to see the counter.
#[derive(Clone, Debug, Default)]
pub(crate) enum Listener {
    #[default]
    Away,
    /// The first answer is on its way since this time; whether the cache keeps the answer, too.
    Joining {
        proxy: usize,
        answer: Answer,
        since: Time,
        kept: bool,
    },
    On(Session),
}

/// An open stream.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(super) proxy: usize,
    shown: Shown,
    /// The id of the last item that the session has passed on.
    pub(super) prev: EventId,
    pub(super) asking: Asking,
    /// The items that came during a recovery.
    queue: Vec<Item>,
}

/// A recovery.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asking {
    No,
    /// The request, with the last id of the session.
    Sent,
    /// The answer is on its way.
    Answered(Answer),
}

impl Listener {
    pub(super) fn shown(&self) -> Option<Shown> {
        match self {
            Listener::On(session) => Some(session.shown),
            _ => None,
        }
    }

    pub(super) fn session(&mut self, on: usize) -> Option<&mut Session> {
        match self {
            Listener::On(session) if session.proxy == on => Some(session),
            _ => None,
        }
    }
}

impl Session {
    /// Begins with the answer of the origin or the cache.
    pub(super) fn begin(proxy: usize, at: &mut Proxy, answer: Answer, broken: Broken) -> Self {
        let Answer { published, shown } = answer;
        let misses = at.misses(published) && broken != Broken::PrevId;
        let asking = if misses { Asking::Sent } else { Asking::No };
        Session { proxy, shown, prev: published, asking, queue: Vec::new() }
    }

    /// Whether the listener shows a value that was never published and that the store has lost: only the next change replaces it.
    pub(super) fn shows_the_loss(&self, history: u64, published: EventId) -> bool {
        self.prev == published && self.shown.history < history && self.shown.revision > self.prev.revision
    }

    /// The listener gets an item. Returns the value shown before and the value shown now, if the latter is older.
    pub(super) fn offer(&mut self, item: Item, broken: Broken) -> Option<(Shown, Shown)> {
        if !matches!(self.asking, Asking::No) {
            self.queue.push(item);
            return None;
        }
        if item.prev != self.prev && broken != Broken::PrevId {
            self.queue.clear();
            self.asking = Asking::Sent;
            return None;
        }
        self.prev = item.id;
        self.show(item.shown)
    }

    /// Begins a recovery, as the session has been silent for long enough.
    pub(super) fn ask(&mut self) {
        if let Asking::No = self.asking {
            self.asking = Asking::Sent;
        }
    }

    /// The recovery's answer arrives: a value if the session had missed something, and the session's new id.
    pub(super) fn recovered(&mut self, broken: Broken) -> Vec<(Shown, Shown)> {
        let Asking::Answered(answer) = self.asking else { return Vec::new() };
        self.asking = Asking::No;
        let mut wrongs = Vec::new();
        if answer.published != self.prev {
            wrongs.extend(self.show(answer.shown));
        }
        self.prev = answer.published;
        for item in std::mem::take(&mut self.queue) {
            wrongs.extend(self.offer(item, broken));
        }
        wrongs
    }

    fn show(&mut self, shown: Shown) -> Option<(Shown, Shown)> {
        let before = std::mem::replace(&mut self.shown, shown);
        (shown < before).then_some((before, shown))
    }
}
