//! What a store must do with one topic, written from the contract and independent of the stores.

use std::sync::Arc;
use std::time::Duration;

use livecounter::domain::{Document, Epoch, EventId, LIMIT, MergeError};
use livecounter::store::{
    Announcement, Body, Claim, ClaimTerms, GRACE, LONGEST_LEASE, Merge, Reading, TOMBSTONE_LIFETIME,
};

/// Milliseconds by the store's clock.
pub(crate) type Time = u64;

/// The state of a topic in the contract's terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) value: i64,
    /// The fields, if the topic is an entity. Those of a deleted entity say nothing any more; nor does the end of its life.
    pub(crate) document: Option<Arc<Document>>,
    /// When the life of the entity is over.
    pub(crate) ends: Option<Time>,
    pub(crate) revision: u64,
    /// Whether the last change was a deletion.
    pub(crate) deleted: bool,
    /// The revision of the last deletion.
    pub(crate) created_behind: u64,
    pub(crate) epoch: Epoch,
    /// The history of the store's data that the epoch belongs to.
    pub(crate) history: u64,
    /// The last claim, acknowledged or not.
    pub(crate) last: Option<Announcement>,
    pub(crate) acknowledged: bool,
    /// When the mark in the outbox becomes overdue.
    pub(crate) due: Option<Time>,
    pub(crate) gate: Time,
    /// When the store forgets the deleted topic.
    pub(crate) forgotten_at: Option<Time>,
    /// How many changes there have been, whatever the store has forgotten since. No store knows it.
    pub(crate) serial: u64,
}

/// A change, with the amounts of an addition one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Add(Vec<i64>),
    Set(i64),
    Merge(Merge),
    Delete,
}

/// What a change comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// One of the amounts alone would be refused.
    OutOfRange,
    /// The fields of the entity do not allow the merge.
    Refused(MergeError),
    /// There is no topic to delete.
    Nothing,
    /// The topic has changed; this is claimed in the same step.
    Changed(Option<Announcement>),
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
    /// Whether there is such a topic.
    pub(crate) fn exists(&self) -> bool {
        self.revision > 0 && !self.deleted
    }

    pub(crate) fn change(&mut self, change: &Change, lease: Option<Duration>, now: Now) -> Outcome {
        let values = match change {
            Change::Add(amounts) => amounts
                .iter()
                .scan(self.value, |value, amount| {
                    *value = value.saturating_add(*amount);
                    Some(*value)
                })
                .collect(),
            Change::Set(value) => vec![*value],
            Change::Merge(merge) => match self.merge(merge, now.time) {
                Ok(()) => vec![0],
                Err(refusal) => return Outcome::Refused(refusal),
            },
            Change::Delete if self.exists() => vec![0],
            Change::Delete => return Outcome::Nothing,
        };
        if !values.iter().all(|value| (-LIMIT..=LIMIT).contains(value)) {
            return Outcome::OutOfRange;
        }
        if self.revision == 0 {
            (self.epoch, self.history) = (now.epoch, now.history);
        }
        self.deleted = *change == Change::Delete;
        self.forgotten_at = None;
        self.value = values[values.len() - 1];
        self.revision += values.len() as u64;
        self.serial += values.len() as u64;
        if self.deleted {
            self.created_behind = self.revision;
        }
        if let Some(lease) = lease {
            return Outcome::Changed(Some(self.publish(lease, now)));
        }
        self.due = self.due.or(Some(self.unclaimed_until(now.time)));
        Outcome::Changed(None)
    }

    /// Deletes the entity if its life is over.
    pub(crate) fn end_life(&mut self, now: Now) -> Outcome {
        match self.ends.is_some_and(|ends| ends <= now.time) {
            true => self.change(&Change::Delete, None, now),
            false => Outcome::Nothing,
        }
    }

    /// Forgets a deleted topic when its time is over.
    pub(crate) fn forget(&mut self, time: Time) {
        if self.forgotten_at.is_some_and(|at| at <= time) {
            *self = Topic { serial: self.serial, ..Topic::default() };
        }
    }

    /// Whether a change waits to be announced that no origin has claimed yet.
    pub(crate) fn is_unpublished(&self) -> bool {
        self.last.as_ref().map_or(0, |last| last.id.revision) != self.revision
    }

    pub(crate) fn claim(&mut self, terms: ClaimTerms, now: Now) -> Claim {
        // In another history the last announcement counts too: listeners may have received a value that the store has lost.
        // But of an acknowledged deletion there is nothing left to claim.
        let lost = self.revision > 0 && self.history != now.history && self.forgotten_at.is_none();
        let news = self.is_unpublished() || lost;
        match self.last.clone() {
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
        if self.acknowledged || self.last.as_ref().is_none_or(|last| last.id != id) {
            return;
        }
        self.acknowledged = true;
        if self.deleted && !self.is_unpublished() {
            self.forgotten_at = Some(time + millis(TOMBSTONE_LIFETIME));
        }
        self.due = self.is_unpublished().then(|| self.unclaimed_until(time));
    }

    pub(crate) fn reading(&self) -> Reading {
        let id = if self.revision == 0 { EventId::default() } else { self.id() };
        Reading {
            body: self.body(),
            id,
            published: self.last.as_ref().map(|last| last.id).unwrap_or_default(),
        }
    }

    /// When the mark of an unclaimed change becomes overdue: not before the gate opens, as no origin can claim it until then.
    fn unclaimed_until(&self, time: Time) -> Time {
        (self.gate.max(time) + millis(GRACE)).min(time + millis(LONGEST_LEASE))
    }

    fn publish(&mut self, lease: Duration, now: Now) -> Announcement {
        if self.history != now.history {
            (self.epoch, self.history) = (now.epoch, now.history);
        }
        let prev = self.last.as_ref().map(|last| last.id).unwrap_or_default();
        let announcement = Announcement { body: self.body(), id: self.id(), prev };
        (self.last, self.acknowledged) = (Some(announcement.clone()), false);
        self.due = Some(now.time + millis(lease));
        announcement
    }

    /// Changes the fields, all of them or none. An entity that does not exist begins without fields and without a life.
    fn merge(&mut self, merge: &Merge, time: Time) -> Result<(), MergeError> {
        let exists = self.exists();
        let before = self.document.clone().filter(|_| exists).unwrap_or_default();
        self.document = Some(Arc::new(before.merged(&merge.fields)?));
        self.ends = merge.keep.map(|keep| time + millis(keep)).or(self.ends.filter(|_| exists));
        Ok(())
    }

    fn body(&self) -> Body {
        match &self.document {
            _ if !self.exists() => Body::Gone,
            Some(document) => Body::Document(Arc::clone(document)),
            None => Body::Number(self.value),
        }
    }

    fn id(&self) -> EventId {
        EventId { epoch: self.epoch, revision: self.revision }
    }
}

pub(crate) const fn millis(duration: Duration) -> Time {
    duration.as_millis() as Time
}
