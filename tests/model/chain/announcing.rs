//! The announcer's steps for a change: claim, purge, publish, purge again, acknowledge.

use std::time::Duration;

use livecounter::domain::EventId;
use livecounter::store::{Announcement, Claim, ClaimTerms};

use super::origin::{Delivery, Stage};
use super::{Broken, Chain, GIVE_UP, INTERVAL, Item, LEASE, Late, Luck, SECOND_PURGE};
use crate::spec::{Time, Topic, millis};

/// How long an origin waits after a claim that was not answered.
const STORE_PAUSE: Time = 500;

/// The next step of a delivery.
enum Next {
    Waits,
    Stage(Stage),
    Over,
}

impl Chain {
    /// The origin claims, if it has something to claim. The store's answer reaches the origin only if `answered`.
    pub(super) fn claim(&mut self, index: usize, answered: bool) {
        let now = self.now;
        let origin = &mut self.origins[index];
        if !origin.up || !origin.changed || origin.rests > now {
            return;
        }
        let Some(claim) = self.ask_the_store(index) else { return };
        if let Claim::Announce(Announcement { id, body, .. }) = &claim {
            self.claimed(*id, body);
        }
        self.origins[index].changed = false;
        let origin = &mut self.origins[index];
        match claim {
            _ if !answered => (origin.changed, origin.rests) = (true, now + STORE_PAUSE),
            Claim::Announce(Announcement { body, id, prev }) => {
                let content = self.shown(id.revision, body);
                let origin = &mut self.origins[index];
                origin.rests = now + INTERVAL;
                origin.begin(Item { id, prev, content });
            }
            Claim::Wait(rest) => (origin.changed, origin.rests) = (true, now + millis(rest)),
            Claim::Nothing => {}
        }
    }

    /// The store's step. With the atomic claim taken out, the store reads in one step (`None`) and writes in the next.
    fn ask_the_store(&mut self, index: usize) -> Option<Claim> {
        let mut torn = self.origins[index].torn.take();
        if self.broken == Broken::Claim && torn.is_none() {
            self.origins[index].torn = Some(self.topic.clone());
            return None;
        }
        let shut = if self.broken == Broken::Gate { 0 } else { INTERVAL };
        if let Some(repeated) = self.repeated() {
            return Some(repeated);
        }
        let terms = ClaimTerms { interval: Duration::from_millis(shut), lease: Duration::from_millis(LEASE) };
        let moment = self.moment();
        let topic = torn.as_mut().unwrap_or(&mut self.topic);
        let before = topic.last.as_ref().map(|last| last.id);
        let claim = topic.claim(terms, moment);
        let first = topic.last.as_ref().map(|last| last.id) != before;
        if let Some(torn) = torn {
            (self.topic.last, self.topic.acknowledged) = (torn.last, torn.acknowledged);
            (self.topic.gate, self.topic.due) = (torn.gate, torn.due);
        }
        if let Claim::Announce(_) = claim {
            if self.broken == Broken::Lease {
                self.topic.due = None;
            }
            if first {
                self.first_claim();
            }
        }
        Some(claim)
    }

    /// The last claim once more, if its lease is over, whatever has changed since, and with what there is now.
    fn repeated(&mut self) -> Option<Claim> {
        let Topic { last, acknowledged, due, .. } = &self.topic;
        let is_over = due.is_some_and(|due| due <= self.now) && !acknowledged;
        let last = last.clone().filter(|_| is_over && self.broken == Broken::Repetition)?;
        self.topic.due = Some(self.now + LEASE);
        Some(Claim::Announce(Announcement { body: self.topic.reading().body, ..last }))
    }

    pub(super) fn deliver(&mut self, index: usize, which: usize, luck: Luck) {
        let count = self.origins[index].deliveries.len();
        if count == 0 {
            return;
        }
        let which = which % count;
        let delivery = self.origins[index].deliveries[which].clone();
        match self.next_stage(index, delivery, luck) {
            Next::Waits => {}
            Next::Stage(stage) => self.origins[index].deliveries[which].stage = stage,
            Next::Over => {
                self.origins[index].deliveries.remove(which);
            }
        }
    }

    fn next_stage(&mut self, index: usize, mut delivery: Delivery, luck: Luck) -> Next {
        let (now, broken, id) = (self.now, self.broken, delivery.item.id);
        let next = match delivery.stage {
            Stage::Purge => Some(Stage::Publish(self.purge(luck))),
            Stage::Publish(purged) => {
                let origin = &mut self.origins[index];
                origin.newest = Some(id);
                if !self.kind.is_public() {
                    origin.check_streams(&mut delivery.item, now);
                }
                origin.publish(&delivery.item, delivery.number, now);
                Some(Stage::Accept(purged, now))
            }
            Stage::Accept(purged, _) if delivery.accepted.iter().all(|accepted| *accepted) => {
                let second =
                    if broken == Broken::SecondPurge { Stage::Acknowledge } else { Stage::SecondPurge(now) };
                purged.then_some(second)
            }
            Stage::Accept(_, since) if now < since + GIVE_UP => return Next::Waits,
            Stage::Accept(..) => None,
            Stage::SecondPurge(since) if now < since + SECOND_PURGE => return Next::Waits,
            // The newer claim purges too, and is the one to acknowledge.
            Stage::SecondPurge(_) if self.origins[index].newest != Some(id) => None,
            // If both purges were lost and answered well, the cache keeps the old value until `cache.max_age`: docs/failures.md.
            Stage::SecondPurge(_) => {
                self.purge(if luck == Luck::Lost { Luck::Fails } else { luck }).then_some(Stage::Acknowledge)
            }
            Stage::Acknowledge => {
                self.acknowledge(id, luck);
                None
            }
        };
        next.map_or(Next::Over, Next::Stage)
    }

    /// Whether a purge of the topic is known to have succeeded. What no cache may keep is not purged.
    fn purge(&mut self, luck: Luck) -> bool {
        if !self.kind.is_public() {
            return true;
        }
        let lost = luck == Luck::Fails || luck == Luck::Lost;
        if !lost {
            self.cache = None;
        }
        matches!(luck, Luck::Well | Luck::Lost | Luck::Twice)
    }

    fn acknowledge(&mut self, id: EventId, luck: Luck) {
        if matches!(luck, Luck::Late | Luck::Twice) {
            self.late.push(Late::Acknowledgement(id));
        }
        if matches!(luck, Luck::Well | Luck::Unanswered | Luck::Twice) {
            self.take_out(id);
        }
    }

    /// The store takes the mark out if this is the last claim.
    pub(super) fn take_out(&mut self, id: EventId) {
        self.topic.acknowledge(id, self.now);
        if self.broken == Broken::Tombstone {
            self.topic.forget(Time::MAX);
        }
        if self.broken == Broken::Acknowledgement {
            self.topic.due = None;
        }
    }
}
