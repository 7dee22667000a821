//! Pushpin as it was measured: items put in order by their prev-ids, known ids dropped, and whoever has missed something
//! asks the origin. And the listeners, each on a connection of its own.

use livecounter::domain::EventId;

use super::{Answer, Broken, ID_CACHE, Item, MESSAGE_WAIT, Shown};
use crate::spec::Time;

/// What a proxy knows of the channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxy {
    /// What it published last.
    last: Option<EventId>,
    /// Ids it has had, and when.
    known: Vec<(EventId, Time)>,
    /// Items whose prev-id does not fit, and until when they wait for what is missing.
    pub(super) waiting: Vec<(Item, Time)>,
    /// Items on their way to it.
    pub(super) network: Vec<Item>,
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

    /// What has waited long enough.
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

    /// Whether who joins with such a hold has missed something. What was published last is forgotten with the first
    /// difference.
    fn misses(&mut self, hold: EventId) -> bool {
        let differs = self.last.is_some_and(|last| last != hold);
        if differs {
            self.last = None;
        }
        differs
    }
}

/// Somebody who wants to see the counter.
#[derive(Clone, Debug, Default)]
pub(crate) enum Listener {
    #[default]
    Away,
    /// The first answer is on its way, since when; whether it also goes into the cache.
    Joining {
        proxy: usize,
        answer: Answer,
        since: Time,
        kept: bool,
    },
    On(Session),
}

/// A stream.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(super) proxy: usize,
    shown: Shown,
    /// The id of the channel that it has got to.
    pub(super) prev: EventId,
    pub(super) asking: Asking,
    /// What came while it was asking.
    queue: Vec<Item>,
}

/// A recovery.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asking {
    No,
    /// The request, with the id the session has got to.
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
    /// Begins with what the origin, or the cache, has answered.
    pub(super) fn begin(proxy: usize, at: &mut Proxy, answer: Answer, broken: Broken) -> Self {
        let Answer { published, shown } = answer;
        let misses = at.misses(published) && broken != Broken::PrevId;
        let asking = if misses { Asking::Sent } else { Asking::No };
        Session { proxy, shown, prev: published, asking, queue: Vec::new() }
    }

    /// Whether it shows what was never published and is forgotten: nobody can know before the next change.
    pub(super) fn shows_what_is_lost(&self, history: u64, published: EventId) -> bool {
        self.prev == published && self.shown.history < history && self.shown.revision > self.prev.revision
    }

    /// Gets an item. Returns what it was shown last and is shown now, where that is older.
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

    /// Has been silent for long enough to ask.
    pub(super) fn ask(&mut self) {
        if let Asking::No = self.asking {
            self.asking = Asking::Sent;
        }
    }

    /// The answer arrives: a value if the session had missed something, and where it is now.
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
