//! An origin: its announcer's deliveries, and its queues to the proxies.

use livecounter::domain::{Epoch, EventId};

use super::{Item, PROXIES};
use crate::spec::{Time, Topic};

/// How often the streams of a busy entity are checked.
const CHECKED_EVERY: Time = 30_000;

/// One process. All of this is lost when the process is killed.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(super) up: bool,
    /// The topic has changed, or a sweep has found it.
    pub(super) changed: bool,
    /// The time until which the announcer leaves the topic alone.
    pub(super) rests: Time,
    /// What the first step of a claim has read, if the claim is not atomic.
    pub(super) torn: Option<Topic>,
    pub(super) deliveries: Vec<Delivery>,
    /// The newest claim whose second purge is due.
    pub(super) newest: Option<EventId>,
    pub(super) queues: Vec<EndpointQueue>,
    pub(super) next: u32,
    /// When the streams of the entity were checked last, or the entity was published first.
    pub(super) checked: Option<Time>,
}

/// The delivery of a claim.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(super) number: u32,
    pub(super) item: Item,
    pub(super) stage: Stage,
    pub(super) accepted: [bool; PROXIES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Purge,
    /// Holds whether the purge is known to have succeeded.
    Publish(bool),
    /// Waits for the proxies, since this time.
    Accept(bool, Time),
    /// The time of the first purge.
    SecondPurge(Time),
    Acknowledge,
}

/// The queue to one proxy: at most one item waits, and at most one is being sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndpointQueue {
    waiting: Option<Entry>,
    pub(super) out: Option<Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) item: Item,
    /// The time since which the item waits.
    since: Time,
    /// The proxy may have received the item already.
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
            queues: vec![EndpointQueue::default(); PROXIES],
            next: 0,
            checked: None,
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

    /// Now and then, makes an item of an entity one that follows no other, so that proxies ask whether its streams may go on.
    pub(super) fn check_streams(&mut self, item: &mut Item, now: Time) {
        let last = *self.checked.get_or_insert(now);
        if now >= last + CHECKED_EVERY {
            let never = EventId { epoch: Epoch::new(u64::MAX), revision: 0 };
            (self.checked, item.prev) = (Some(now), never);
        }
    }

    /// Hands the item to all proxies.
    pub(super) fn publish(&mut self, item: &Item, number: u32, since: Time) {
        for queue in &mut self.queues {
            let entry = Entry { item: item.clone(), since, doubtful: false, for_whom: vec![number] };
            queue.waiting = Some(match queue.waiting.take() {
                Some(older) => older.merge(entry),
                None => entry,
            });
        }
    }

    /// Drops items that have waited for a proxy for so long.
    pub(super) fn give_up(&mut self, now: Time, latest: Time) {
        for queue in &mut self.queues {
            for entry in [&mut queue.waiting, &mut queue.out] {
                entry.take_if(|entry| entry.since + latest <= now);
            }
        }
    }

    /// Notes that the proxy has accepted the item that is being sent.
    pub(super) fn accepted(&mut self, proxy: usize) {
        let Some(entry) = self.queues[proxy].out.take() else { return };
        for delivery in &mut self.deliveries {
            delivery.accepted[proxy] |= entry.for_whom.contains(&delivery.number);
        }
    }
}

impl EndpointQueue {
    /// Begins to send the next item, if none is being sent.
    pub(super) fn send(&mut self) {
        if self.out.is_none() {
            self.out = self.waiting.take();
        }
    }

    /// Notes that the request failed; `doubtful` if the proxy may have accepted it.
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
    /// Merges two items, of which `self` came first: 5-after-4 and 6-after-5 become 6-after-4, unless 5 may have been delivered.
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
