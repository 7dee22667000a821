//! The state of one topic, and how additions, claims and acknowledgements change it. No I/O.

use std::time::Duration;

use super::complete_hour::CompleteHour;
use super::documents::DocumentDraft;
use super::millis::{Millis, millis};
use crate::domain::{Epoch, EventId, LIMIT, Unit};
use crate::store::{
    Announcement, Body, Change, Claim, ClaimTerms, GRACE, LONGEST_LEASE, Reading, Write, WriteError, bounds,
};

/// The table `topic` describes the fields that are kept in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TopicState {
    pub(super) value: i64,
    pub(super) revision: u64,
    pub(super) epoch: Epoch,
    pub(super) published: u64,
    pub(super) previous: u64,
    pub(super) acknowledged: u64,
    /// When the topic was claimed last.
    pub(super) claimed: Millis,
    /// The value that was claimed last.
    pub(super) claimed_value: Option<i64>,
    /// No hour of the topic is complete, and its value before the first claim was 0.
    pub(super) is_new: bool,
    /// The hour of the claims before those of the present hour, if the table `history` does not have it yet.
    pub(super) complete: Option<CompleteHour>,
    /// 0 if the topic is not deleted. Otherwise the time of its deletion, or, once the deletion is acknowledged, the time of the
    /// acknowledgement.
    pub(super) deleted: Millis,
    /// When the outbox mark becomes overdue; `None` without a mark. Not kept in the file.
    pub(super) due: Option<Millis>,
    /// Until when the gate is shut. Not kept in the file.
    pub(super) gate: Millis,
}

/// A topic as a batch leaves it.
pub(super) struct Draft {
    pub(super) state: TopicState,
    pub(super) changed: bool,
    /// The fields, if the topic is an entity whose fields the batch has read or changed.
    pub(super) document: Option<DocumentDraft>,
    /// By how much the batch has changed the number of topics: 1 if it has created the topic, -1 if it has deleted it.
    pub(super) count: i64,
}

impl TopicState {
    /// Whether the topic exists: it has changed, and was not deleted since.
    pub(super) fn exists(&self) -> bool {
        self.revision > 0 && self.deleted == 0
    }

    /// Applies a change; `epoch` is for a topic that has never changed. Returns `None` for a deletion of a topic that does not
    /// exist, which changes nothing. For any other change, returns `Some`, with the announcement if the change claims.
    /// `keeps_history` says whether histories are kept.
    pub(super) fn write(
        &mut self,
        write: &Write,
        epoch: Epoch,
        now: Millis,
        keeps_history: bool,
    ) -> Result<Option<Option<Announcement>>, WriteError> {
        let (value, changes) = match &write.change {
            Change::Add(sum) => {
                let bounds = bounds::of(sum).ok_or(WriteError::OutOfRange)?;
                let value = self.value.checked_add(sum.total).ok_or(WriteError::OutOfRange)?;
                if !bounds.contains(&value) {
                    return Err(WriteError::OutOfRange);
                }
                (value, u64::from(sum.changes))
            }
            Change::Set(value) if !(-LIMIT..=LIMIT).contains(value) => return Err(WriteError::OutOfRange),
            Change::Set(value) => (*value, 1),
            Change::Delete if self.exists() => (0, 1),
            Change::Delete => return Ok(None),
            Change::Append(events) => {
                let count = events.len() as u64;
                (self.value.saturating_add_unsigned(count), count)
            }
            // The fields are kept apart from the state.
            Change::Merge(_) => (self.value, 1),
        };
        if !self.exists() && !write.may_create {
            return Err(WriteError::WouldBeNew);
        }
        if self.revision == 0 {
            self.epoch = epoch;
        }
        let is_deletion = matches!(write.change, Change::Delete);
        if is_deletion || !self.exists() {
            (self.claimed_value, self.is_new, self.complete) = (None, !is_deletion, None);
        }
        self.deleted = if is_deletion { now } else { 0 };
        self.value = value;
        self.revision += changes;
        if let Some(lease) = write.claim.filter(|_| write.topic.holds_number()) {
            return Ok(Some(Some(self.publish(lease, now, keeps_history))));
        }
        // A mark with a lease keeps its lease.
        let due = self.unclaimed_until(now);
        self.due.get_or_insert(due);
        Ok(Some(None))
    }

    /// Answers a claim. `keeps_history` says whether histories are kept.
    pub(super) fn claim(&mut self, terms: ClaimTerms, now: Millis, keeps_history: bool) -> Claim {
        if self.revision > self.published {
            if self.gate > now {
                // The origin that gets this answer claims again when the gate opens, so the mark becomes overdue only a grace
                // after the gate opens.
                self.due = Some(self.unclaimed_until(now));
                return Claim::Wait(Duration::from_millis((self.gate - now).unsigned_abs()));
            }
            if !terms.interval.is_zero() {
                self.gate = now + millis(terms.interval);
            }
            return Claim::Announce(self.publish(terms.lease, now, keeps_history));
        }
        if self.due.is_some_and(|due| due <= now) {
            self.due = Some(now + millis(terms.lease));
            return Claim::Announce(self.announcement());
        }
        Claim::Nothing
    }

    /// Applies the acknowledgement of a claim.
    pub(super) fn acknowledge(&mut self, id: EventId, now: Millis) {
        let last_claim = id.epoch == self.epoch && id.revision == self.published;
        if !last_claim || self.acknowledged == self.published {
            return;
        }
        self.acknowledged = self.published;
        if self.deleted != 0 && self.revision == self.published {
            // The lifetime of the tombstone begins with the acknowledgement.
            self.deleted = now;
        }
        self.due = (self.revision > self.published).then(|| self.unclaimed_until(now));
    }

    /// The state as readers see it.
    pub(super) fn reading(&self) -> Reading {
        Reading { body: self.body(), id: self.event(self.revision), published: self.event(self.published) }
    }

    /// When a mark without a lease becomes overdue: a grace after now, or after the gate opens, since the topic cannot be announced
    /// before.
    fn unclaimed_until(&self, now: Millis) -> Millis {
        (self.gate.max(now) + millis(GRACE)).min(now + millis(LONGEST_LEASE))
    }

    fn publish(&mut self, lease: Duration, now: Millis, keeps_history: bool) -> Announcement {
        self.previous = self.published;
        self.published = self.revision;
        self.complete_hour(now, keeps_history);
        self.claimed = now;
        self.claimed_value = self.exists().then_some(self.value);
        self.due = Some(now + millis(lease));
        self.announcement()
    }

    /// Takes leave of the value that was claimed last, unless that was in the present hour.
    fn complete_hour(&mut self, now: Millis, keeps_history: bool) {
        let (last, present) = (Unit::Hour.number(self.claimed), Unit::Hour.number(now));
        let Some(value) = self.claimed_value.filter(|_| last != present || now < self.claimed) else {
            return;
        };
        let is_first = self.is_new;
        // Without a history, the hours between this claim and the last one are unknown, so the topic is not new any more.
        self.is_new &= last >= present;
        if keeps_history {
            self.complete = Some(CompleteHour { value, claimed: self.claimed, next: now, is_first });
        }
    }

    fn announcement(&self) -> Announcement {
        Announcement {
            // A claim is repeated only if the topic has not changed since, so the body is the present one.
            body: self.body(),
            id: self.event(self.published),
            prev: self.event(self.previous),
        }
    }

    fn body(&self) -> Body {
        if self.exists() { Body::Number(self.value) } else { Body::Gone }
    }

    fn event(&self, revision: u64) -> EventId {
        match revision {
            0 => EventId::default(),
            revision => EventId { epoch: self.epoch, revision },
        }
    }
}
