//! An origin: what its announcer has under way, and its ways to the proxies.

use livecounter::domain::EventId;

use super::{Item, PROXIES};
use crate::spec::{Time, Topic};

/// One process. Whatever is in here is lost when it is killed.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(super) up: bool,
    /// The topic has changed, or a sweep has found it.
    pub(super) changed: bool,
    /// Until when the topic rests.
    pub(super) rests: Time,
    /// Of a claim that is no atomic step: what it has read.
    pub(super) torn: Option<Topic>,
    pub(super) deliveries: Vec<Delivery>,
    /// The newest claim whose second purge is due.
    pub(super) newest: Option<EventId>,
    pub(super) lanes: Vec<Lane>,
    pub(super) next: u32,
}

/// A claim on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    pub(super) number: u32,
    pub(super) item: Item,
    pub(super) stage: Stage,
    pub(super) accepted: [bool; PROXIES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Purge,
    /// With whether the purge is known to have succeeded.
    Publish(bool),
    /// Waiting for the proxies, since when.
    Accept(bool, Time),
    /// The first purge was then.
    SecondPurge(Time),
    Acknowledge,
}

/// The way to one proxy: at most one item waits, and one is out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    waiting: Option<Entry>,
    pub(super) out: Option<Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) item: Item,
    /// The proxy may have it already.
    doubtful: bool,
    pub(super) for_whom: Vec<u32>,
}

impl Default for Origin {
    fn default() -> Self {
        Origin {
            up: true,
            changed: false,
            rests: 0,
            torn: None,
            deliveries: Vec::new(),
            newest: None,
            lanes: vec![Lane::default(); PROXIES],
            next: 0,
        }
    }
}

impl Origin {
    /// Begins to announce what was claimed.
    pub(super) fn begin(&mut self, item: Item) {
        self.next += 1;
        let (number, accepted) = (self.next, [false; PROXIES]);
        self.deliveries.push(Delivery { number, item, stage: Stage::Purge, accepted });
    }

    /// Hands the item to all proxies.
    pub(super) fn publish(&mut self, item: Item, number: u32) {
        for lane in &mut self.lanes {
            let entry = Entry { item, doubtful: false, for_whom: vec![number] };
            lane.waiting = Some(match lane.waiting.take() {
                Some(older) => older.merge(entry),
                None => entry,
            });
        }
    }

    /// The proxy has taken, as far as can be known, what is out to it.
    pub(super) fn accepted(&mut self, proxy: usize) {
        let Some(entry) = self.lanes[proxy].out.take() else { return };
        for delivery in &mut self.deliveries {
            delivery.accepted[proxy] |= entry.for_whom.contains(&delivery.number);
        }
    }
}

impl Lane {
    /// Takes the next item out, if none is.
    pub(super) fn send(&mut self) {
        if self.out.is_none() {
            self.out = self.waiting.take();
        }
    }

    /// The request failed; `doubtful`: perhaps not.
    pub(super) fn failed(&mut self, doubtful: bool) {
        let Some(mut entry) = self.out.take() else { return };
        entry.doubtful |= doubtful;
        self.waiting = Some(match self.waiting.take() {
            Some(newer) => entry.merge(newer),
            None => entry,
        });
    }
}

impl Entry {
    /// One for two, `self` being there first: 6-after-5 in the place of 5-after-4 becomes 6-after-4, unless 5 may have
    /// been delivered.
    fn merge(mut self, mut newer: Entry) -> Entry {
        let for_whom: Vec<u32> = self.for_whom.drain(..).chain(newer.for_whom.drain(..)).collect();
        let mut kept = if newer.item.id == self.item.id {
            self
        } else if self.item.prev == newer.item.id {
            if !newer.doubtful {
                self.item.prev = newer.item.prev;
            }
            self
        } else {
            if newer.item.prev == self.item.id && !self.doubtful {
                newer.item.prev = self.item.prev;
            }
            newer
        };
        kept.for_whom = for_whom;
        kept
    }
}
