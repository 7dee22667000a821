//! What a store must do with one topic, written from the contract and independent of the stores.

use std::time::Duration;

use livecounter::domain::{Epoch, EventId, LIMIT};
use livecounter::store::{Announcement, Claim, ClaimTerms, GRACE, LONGEST_LEASE, Reading};

/// Milliseconds by the store's clock.
pub(crate) type Time = u64;

/// The state of a topic in the contract's terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) value: i64,
    pub(crate) revision: u64,
    epoch: Epoch,
    /// The history of the store's data that the epoch belongs to.
    history: u64,
    /// The last claim, acknowledged or not.
    pub(crate) last: Option<Announcement>,
    pub(crate) acknowledged: bool,
    /// When the mark in the outbox becomes overdue.
    pub(crate) due: Option<Time>,
    pub(crate) gate: Time,
}

/// The arguments from outside of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) time: Time,
    pub(crate) history: u64,
    /// An epoch that was never used.
    pub(crate) epoch: Epoch,
}

impl Topic {
    /// Adds these amounts as one change; `None` where one of them alone would have been refused.
    pub(crate) fn add(
        &mut self,
        amounts: &[i64],
        lease: Option<Duration>,
        now: Now,
    ) -> Option<Option<Announcement>> {
        let ways = amounts.iter().scan(self.value, |value, amount| {
            *value = value.checked_add(*amount)?;
            Some(*value)
        });
        let ways: Vec<i64> = ways.collect();
        if ways.len() < amounts.len() || !ways.iter().all(|value| (-LIMIT..=LIMIT).contains(value)) {
            return None;
        }
        if self.revision == 0 {
            (self.epoch, self.history) = (now.epoch, now.history);
        }
        self.value = *ways.last()?;
        self.revision += amounts.len() as u64;
        if let Some(lease) = lease {
            return Some(Some(self.publish(lease, now)));
        }
        self.due = self.due.or(Some(self.unclaimed_until(now.time)));
        Some(None)
    }

    /// Whether a change waits to be announced that no origin has claimed yet.
    pub(crate) fn is_unpublished(&self) -> bool {
        self.last.map_or(0, |last| last.id.revision) != self.revision
    }

    pub(crate) fn claim(&mut self, terms: ClaimTerms, now: Now) -> Claim {
        // In another history the last announcement counts too: listeners may have received a value that the store has lost.
        let news = self.is_unpublished() || self.revision > 0 && self.history != now.history;
        match self.last {
            _ if news && self.gate > now.time => {
                self.due = Some(self.unclaimed_until(now.time));
                Claim::Wait(Duration::from_millis(self.gate - now.time))
            }
            _ if news => {
                self.gate = now.time + millis(terms.interval);
                Claim::Announce(self.publish(terms.lease, now))
            }
            Some(last) if self.due.is_some_and(|due| due <= now.time) => {
                self.due = Some(now.time + millis(terms.lease));
                Claim::Announce(last)
            }
            _ => Claim::Nothing,
        }
    }

    pub(crate) fn acknowledge(&mut self, id: EventId, time: Time) {
        if self.acknowledged || self.last.is_none_or(|last| last.id != id) {
            return;
        }
        self.acknowledged = true;
        self.due = self.is_unpublished().then(|| self.unclaimed_until(time));
    }

    pub(crate) fn reading(&self) -> Reading {
        let id = if self.revision == 0 { EventId::default() } else { self.id() };
        Reading { value: self.value, id, published: self.last.map(|last| last.id).unwrap_or_default() }
    }

    /// When the mark of an unclaimed change becomes overdue: not before the gate opens, as no origin can claim it until then.
    fn unclaimed_until(&self, time: Time) -> Time {
        (self.gate.max(time) + millis(GRACE)).min(time + millis(LONGEST_LEASE))
    }

    fn publish(&mut self, lease: Duration, now: Now) -> Announcement {
        if self.history != now.history {
            (self.epoch, self.history) = (now.epoch, now.history);
        }
        let prev = self.last.map(|last| last.id).unwrap_or_default();
        let announcement = Announcement { value: self.value, id: self.id(), prev };
        (self.last, self.acknowledged) = (Some(announcement), false);
        self.due = Some(now.time + millis(lease));
        announcement
    }

    fn id(&self) -> EventId {
        EventId { epoch: self.epoch, revision: self.revision }
    }
}

pub(crate) fn millis(duration: Duration) -> Time {
    duration.as_millis() as Time
}
