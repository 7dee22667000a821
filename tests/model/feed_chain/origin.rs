//! An origin: the deliveries of its claims, and its queues to the proxies, in which no item takes the place of another one.

use std::collections::VecDeque;

use super::{Broken, Item};
use crate::chain::PROXIES;
use crate::spec::Time;

/// How many items may wait for a proxy.
const MOST_WAITING: usize = 3;

/// One process. All of this is lost when the process is killed.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(super) up: bool,
    /// The feed has changed, or a sweep has found it.
    pub(super) changed: bool,
    /// The time until which the announcer leaves the feed alone.
    pub(super) rests: Time,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) queues: Vec<Queue>,
    next: u32,
}

/// The delivery of a claim.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    number: u32,
    pub(super) item: Item,
    pub(super) stage: Stage,
    pub(super) accepted: [bool; PROXIES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Publish,
    /// Waits for the proxies, since this time.
    Accept(Time),
    Acknowledge,
}

/// The queue to one proxy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Entry>,
    /// The item that is being sent.
    pub(super) out: Option<Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) item: Item,
    since: Time,
    delivery: u32,
}

impl Origin {
    pub(super) fn new(up: bool) -> Self {
        let queues = vec![Queue::default(); PROXIES];
        Origin { up, changed: false, rests: 0, deliveries: Vec::new(), queues, next: 0 }
    }

    /// Begins to announce what was claimed.
    pub(super) fn begin(&mut self, item: Item) {
        self.next += 1;
        let (number, accepted) = (self.next, [false; PROXIES]);
        self.deliveries.push(Delivery { number, item, stage: Stage::Publish, accepted });
    }

    /// Hands the item of a delivery to all proxies.
    pub(super) fn publish(&mut self, which: usize, since: Time, broken: Broken) {
        let Delivery { number, item, stage, .. } = &mut self.deliveries[which];
        *stage = Stage::Accept(since);
        for queue in &mut self.queues {
            let mut entry = Entry { item: item.clone(), since, delivery: *number };
            if broken == Broken::Merge
                && let Some(older) = queue.waiting.pop_back()
            {
                entry.item.prev = older.item.prev;
            }
            queue.waiting.push_back(entry);
            if queue.waiting.len() > MOST_WAITING {
                queue.waiting.pop_front();
            }
        }
    }

    /// Drops items that have waited for a proxy for so long.
    pub(super) fn give_up(&mut self, now: Time, latest: Time) {
        for queue in &mut self.queues {
            queue.waiting.retain(|entry| now < entry.since + latest);
            queue.out.take_if(|entry| entry.since + latest <= now);
        }
    }

    /// Notes that the proxy has accepted the item that is being sent.
    pub(super) fn accepted(&mut self, proxy: usize) {
        let Some(entry) = self.queues[proxy].out.take() else { return };
        for delivery in &mut self.deliveries {
            delivery.accepted[proxy] |= entry.delivery == delivery.number;
        }
    }
}

impl Queue {
    /// Begins to send the next item, if none is being sent.
    pub(super) fn send(&mut self) {
        if self.out.is_none() {
            self.out = self.waiting.pop_front();
        }
    }

    /// Notes that the request failed: the item is sent again before all others.
    pub(super) fn failed(&mut self) {
        if let Some(entry) = self.out.take() {
            self.waiting.push_front(entry);
        }
    }
}
