//! A feed in the contract's terms. Its claims are those of a topic, with all events since the claim before. A listener gets all events behind the
//! one that it has seen, or a gap.

use livecounter::domain::{Epoch, EventId};
use livecounter::store::{Announcement, Body, Claim, ClaimTerms};

use super::{Answer, Broken, Item};
use crate::spec::{Change, Now, Outcome, Time, Topic};

/// How many events a feed keeps, and how many times as many that no origin has claimed yet.
const KEPT: usize = 4;
const FACTOR: usize = 2;

/// An event or a deletion. All of them are numbered, whatever the store has lost since; no store knows the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) id: EventId,
    pub(crate) number: u64,
}

/// An event or a deletion, with what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: Position,
    /// The number of the event or the deletion before it.
    pub(crate) follows: u64,
    /// Whether it is the first of a feed that did not exist.
    pub(crate) first: bool,
    /// Whether the store has its data.
    kept: bool,
}

/// What listeners are shown: a gap, if there is one, and then the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) gap: Option<Gap>,
    pub(crate) events: Vec<Event>,
}

/// A gap, and whether the store has all events that the listener has missed up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: EventId,
    pub(crate) to: Position,
    pub(crate) needless: bool,
}

/// What a store has of a feed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feed {
    pub(crate) topic: Topic,
    /// All events and deletions since the feed was first written, or since the store has forgotten it. Revisions are their places, from 1 on.
    line: Vec<Event>,
    /// The number of the event or deletion before them.
    begun: u64,
    /// Whether a listener that has seen that deletion must be known.
    knows_begun: bool,
    /// The epochs before, each with the last revision that the store has of it.
    former: Vec<(Epoch, u64)>,
    /// How many events and deletions there were, also those that the store has lost.
    numbers: u64,
}

impl Feed {
    pub(crate) fn append(&mut self, count: usize, now: Now) -> Outcome {
        self.change_epoch(now);
        let outcome = self.topic.change(&Change::Add(vec![1; count]), None, now);
        (0..count).for_each(|_| self.push(true));
        self.trim();
        outcome
    }

    pub(crate) fn delete(&mut self, now: Now, broken: Broken) -> Outcome {
        if broken != Broken::DeletionEpoch && self.topic.exists() {
            self.change_epoch(now);
        }
        let outcome = self.topic.change(&Change::Delete, None, now);
        if outcome != Outcome::Nothing {
            self.line.iter_mut().for_each(|event| event.kept = false);
            self.push(false);
        }
        outcome
    }

    /// Events have the epoch in which they were appended: another master may have used the same revisions.
    fn change_epoch(&mut self, now: Now) {
        if self.topic.revision > 0 && self.topic.history != now.history {
            self.former.push((self.topic.epoch, self.topic.revision));
            (self.topic.epoch, self.topic.history) = (now.epoch, now.history);
        }
    }

    fn push(&mut self, kept: bool) {
        self.numbers += 1;
        let id = EventId { epoch: self.topic.epoch, revision: self.line.len() as u64 + 1 };
        let follows = self.line.last().map_or(self.begun, |before| before.at.number);
        let at = Position { id, number: self.numbers };
        self.line.push(Event { at, follows, first: self.line.is_empty(), kept });
    }

    /// Drops the oldest events beyond what the feed keeps, but never the newest event.
    fn trim(&mut self) {
        let published = self.published().revision;
        let mut left = self.line.iter().filter(|event| event.kept).count();
        let newest = self.line.len() as u64;
        for event in self.line.iter_mut().filter(|event| event.kept) {
            let most = if event.at.id.revision > published { FACTOR * KEPT } else { KEPT };
            if left <= most || event.at.id.revision == newest {
                return;
            }
            (event.kept, left) = (false, left - 1);
        }
    }

    /// Claims all events since the claim before. A claim never changes the epoch.
    pub(crate) fn claim(&mut self, terms: ClaimTerms, now: Now) -> Result<Item, Claim> {
        let history = self.topic.history;
        match self.topic.claim(terms, Now { history, ..now }) {
            Claim::Announce(announcement) => Ok(self.item(&announcement)),
            other => Err(other),
        }
    }

    fn item(&self, announcement: &Announcement) -> Item {
        let (id, prev) = (announcement.id, announcement.prev);
        let gone = announcement.body == Body::Gone;
        let events = if gone { Vec::new() } else { self.between(prev.revision, id.revision) };
        let Some(first) = events.first().map(|event| event.at.id) else {
            let gap = Gap { from: prev, to: self.position(id), needless: false };
            return Item { id, prev, content: Content { gap: Some(gap), events } };
        };
        // Listeners notice by the prev-id that the events before these are gone.
        let follows = prev.revision + 1 == first.revision;
        let before = EventId { revision: first.revision - 1, ..first };
        Item { id, prev: if follows { prev } else { before }, content: Content { gap: None, events } }
    }

    /// What a listener has missed that has seen this. If the feed was deleted since, the gap ends at the deletion, and the events since then follow.
    pub(crate) fn behind(&self, seen: Position, broken: Broken) -> Answer {
        let (published, id) = (self.published(), seen.id);
        let deletion = Some(self.topic.created_behind)
            .filter(|revision| id.revision < *revision && *revision <= published.revision);
        let after = deletion.unwrap_or(id.revision);
        let events = self.between(after, published.revision);
        let complete = events.len() as u64 == published.revision.saturating_sub(after);
        let gap = |revision: Option<u64>| {
            let to = revision.map_or(published, |at| self.line[at as usize - 1].at.id);
            let (from, to) = (id, self.position(to));
            Some(Gap { from, to, needless: revision.is_none() && self.has_all_behind(seen) })
        };
        if !self.knows(id) || !complete && broken != Broken::Part {
            return Answer { published, content: Content { gap: gap(None), events: Vec::new() } };
        }
        // A listener that has seen an event which is not announced yet waits for the next events. A feed's revisions go on through all epochs.
        let waits = match broken {
            Broken::Waiting => published.precedes(id),
            _ => published.revision < id.revision,
        };
        let events = if broken == Broken::Recovery { Vec::new() } else { events };
        let gap = deletion.and_then(|deletion| gap(Some(deletion)));
        Answer { published: if waits { id } else { published }, content: Content { gap, events } }
    }

    fn knows(&self, seen: EventId) -> bool {
        seen == EventId::default()
            || seen.epoch == self.topic.epoch && seen.revision <= self.topic.revision
            || self.former.iter().any(|(epoch, last)| *epoch == seen.epoch && seen.revision <= *last)
    }

    /// The events behind one revision, up to another one, as far as the store has them.
    fn between(&self, after: u64, last: u64) -> Vec<Event> {
        let behind = self.line.iter().take(last as usize).skip(after as usize);
        behind.filter(|event| event.kept).copied().collect()
    }

    /// Whether the store has all events up to the last claim that came behind this one, by their numbers.
    fn has_all_behind(&self, seen: Position) -> bool {
        let place = self.line.iter().position(|event| event.at.number == seen.number);
        let next = match place {
            Some(place) => place + 1,
            None if seen.id == EventId::default() => 0,
            None if self.knows_begun && seen.number == self.begun => 0,
            None => return false,
        };
        self.line.iter().take(self.published().revision as usize).skip(next).all(|event| event.kept)
    }

    /// Forgets a deleted feed when its time is over. Only then the feed may begin without what its listeners have seen.
    pub(crate) fn forget(&mut self, time: Time, is_time: bool) {
        if self.topic.forgotten_at.is_some_and(|at| at <= time) {
            self.topic.forget(time);
            (self.begun, self.knows_begun) = (self.newest().number, !is_time);
            (self.line, self.former) = (Vec::new(), Vec::new());
        }
    }

    /// Goes back to a copy.
    pub(crate) fn restore(&mut self, copy: &Feed) {
        *self = Feed { numbers: self.numbers, ..copy.clone() };
    }

    pub(crate) fn published(&self) -> EventId {
        self.topic.last.as_ref().map(|last| last.id).unwrap_or_default()
    }

    /// The last event or deletion, announced or not.
    pub(crate) fn newest(&self) -> Position {
        self.line.last().map_or(Position { id: EventId::default(), number: self.begun }, |event| event.at)
    }

    /// The event that was claimed last.
    pub(crate) fn last_claimed(&self) -> Position {
        self.position(self.published())
    }

    fn position(&self, id: EventId) -> Position {
        let number = id.revision.checked_sub(1).map_or(self.begun, |at| self.line[at as usize].at.number);
        Position { id, number }
    }
}
