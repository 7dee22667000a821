//! The whole chain of one counter or entity, in steps so small that other steps can happen between any two. It does no I/O and has its own clock.
//!
//! - `origin`, `announcing`: the announcer and its queues to the proxies. `listener`: the listeners of Pushpin.
//! - `steps`: the steps that can happen next. `quiet`: the steps once faults have ended. `late`: the commands that reach the store later.
//! - `truth`: what must have come of all changes.

mod announcing;
mod late;
mod listener;
mod origin;
mod quiet;
mod steps;
mod truth;

use std::collections::HashMap;

use livecounter::domain::{Epoch, EventId, Kind};
use livecounter::store::{Body, Reading};

use crate::pushpin::{self, Proxy};
use crate::spec::{Now, Time, Topic};
use late::Late;
use listener::Listener;
use origin::Origin;
pub(crate) use steps::{Luck, Step};
use truth::Truth;

pub(crate) const INTERVAL: Time = 250;
pub(crate) const LEASE: Time = 6000;
const SECOND_PURGE: Time = 2000;
const GIVE_UP: Time = 4000;
pub(crate) const ORIGINS: usize = 2;
pub(crate) const PROXIES: usize = 2;
pub(crate) const LISTENERS: usize = 3;

/// The part of the protocol that a test takes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// A claim reads in one step and writes in another.
    Claim,
    /// A claim takes the mark out of the outbox.
    Lease,
    /// Every acknowledgement takes the mark out, also that of an older claim.
    Acknowledgement,
    /// No claim shuts the gate.
    Gate,
    /// The cache is purged once.
    SecondPurge,
    /// Proxies pass on every item in the order in which it arrives.
    PrevId,
    /// Proxies never send a recovery of their own.
    Silence,
    /// A store that has lost data goes on in the same epoch.
    Epoch,
    /// The store forgets a deleted topic as soon as the deletion is acknowledged.
    Tombstone,
    /// A claim whose lease is over is given again although the topic has changed since, with what the topic holds now.
    Repetition,
    /// An entity that is written after its deletion begins with the fields that it had.
    Fields,
    /// An entity that is written after its deletion has the life that it had.
    OldLife,
    /// A life is ended without another look at its end.
    Look,
    /// An entity is forgotten as soon as its life is over.
    Expiry,
}

/// An item that is published or will be.
pub(crate) type Item = pushpin::Item<Shown>;
/// An origin's answer to a reader.
pub(crate) type Answer = pushpin::Answer<Shown>;

/// What a listener sees, with its epoch and revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    history: u64,
    /// How many changes there had been before, deletions included.
    serial: u64,
    revision: u64,
    pub(crate) body: Body,
}

/// The state of the whole chain.
pub(crate) struct Chain {
    kind: Kind,
    broken: Broken,
    now: Time,
    pub(crate) topic: Topic,
    truth: Truth,
    /// What each id was claimed with.
    claimed: HashMap<EventId, Body>,
    history: u64,
    epochs: u64,
    /// A copy of the store's data.
    copy: Option<(Topic, Truth)>,
    /// Commands on their way to the store.
    late: Vec<Late>,
    origins: Vec<Origin>,
    proxies: Vec<Proxy<Shown>>,
    listeners: Vec<Listener>,
    cache: Option<Answer>,
    /// Answers on their way to readers through the cache, each with the time when it left the origin.
    fills: Vec<(Answer, Time)>,
    /// The times of the claims that gave a new announcement.
    firsts: Vec<Time>,
    pub(crate) wrongs: Vec<String>,
}

impl Chain {
    pub(crate) fn new(kind: Kind, broken: Broken) -> Self {
        Chain {
            kind,
            broken,
            now: 1,
            topic: Topic::default(),
            truth: Truth::default(),
            claimed: HashMap::new(),
            history: 1,
            epochs: 0,
            copy: None,
            late: Vec::new(),
            origins: vec![Origin::default(); ORIGINS],
            proxies: vec![Proxy::start(broken != Broken::PrevId); PROXIES],
            listeners: vec![Listener::default(); LISTENERS],
            cache: None,
            fills: Vec::new(),
            firsts: Vec::new(),
            wrongs: Vec::new(),
        }
    }

    /// The arguments that the store gets at this moment.
    fn moment(&mut self) -> Now {
        self.epochs += 1;
        let history = if self.broken == Broken::Epoch { 1 } else { self.history };
        Now { time: self.now, history, epoch: Epoch::new(self.epochs) }
    }

    fn answer(&self) -> Answer {
        let Reading { body, id, published } = self.topic.reading();
        Answer { published, content: self.shown(id.revision, body) }
    }

    /// What a listener sees of the topic: 0 of a counter that is gone.
    fn shown(&self, revision: u64, body: Body) -> Shown {
        let body = if self.kind.is_public() { Body::Number(body.number()) } else { body };
        Shown { history: self.history, serial: self.topic.serial, revision, body }
    }

    /// Returns what is wrong and must never be, at any moment.
    pub(crate) fn check(&mut self) {
        if self.topic.due.is_none()
            && (self.topic.is_unpublished() || !self.topic.acknowledged && self.topic.revision > 0)
        {
            self.wrongs.push("the outbox is empty, and something is not announced".into());
        }
        let (held, expected) = (self.topic.reading().body, self.truth.body());
        if held != expected {
            self.wrongs.push(format!("the store holds {held:?}, and {expected:?} was written"));
        }
    }

    fn claimed(&mut self, id: EventId, body: &Body) {
        let first = self.claimed.entry(id).or_insert_with(|| body.clone());
        if first != body {
            self.wrongs.push(format!("{id} was claimed with {first:?} and with {body:?}"));
        }
    }

    fn first_claim(&mut self) {
        if self.firsts.last().is_some_and(|last| self.now < last + INTERVAL) {
            self.wrongs.push(format!("two first claims within {INTERVAL} ms"));
        }
        self.firsts.push(self.now);
    }

    /// Returns what is wrong when faults ended some time ago.
    pub(crate) fn check_the_end(&mut self) {
        if self.topic.due.is_some() {
            self.wrongs.push("something is left in the outbox".into());
        }
        if self.topic.exists() && self.truth.is_over(self.now) {
            self.wrongs.push("an entity lives on".into());
        }
        let Answer { published, content: Shown { body: last, .. } } = self.answer();
        for (index, listener) in self.listeners.iter().enumerate() {
            match listener.shown() {
                Some(shown) if shown.body == last => {}
                _ if matches!(listener, Listener::On(stream) if stream.shows_the_loss(self.history, published)) =>
                    {}
                other => self.wrongs.push(format!("listener {index} is shown {other:?}, not {last:?}")),
            }
        }
        if let Some(kept) = self.cache.as_ref().filter(|kept| kept.content.body != last) {
            self.wrongs.push(format!("the cache has {kept:?}, not {last:?}"));
        }
    }
}
