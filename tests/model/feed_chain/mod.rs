//! The whole chain of one feed, in steps so small that other steps can happen between any two. It does no I/O and has its own clock.
//!
//! - `feed`: what a store has of the feed. `origin`: the announcer and its queues to the proxies. `listener`: the listeners of Pushpin.
//! - `steps`: the steps that can happen next. `quiet`: the steps once faults have ended.

mod feed;
mod listener;
mod origin;
mod quiet;
mod steps;

use livecounter::domain::Epoch;

use crate::chain::{LISTENERS, ORIGINS, PROXIES};
use crate::pushpin::{self, Proxy};
use crate::spec::{Now, Time};
use feed::{Content, Feed};
use listener::{Listener, Stream};
use origin::Origin;
pub(crate) use steps::Step;

/// Some events or a gap, on their way to the proxies.
pub(crate) type Item = pushpin::Item<Content>;
/// An origin's answer to a listener or a recovery.
pub(crate) type Answer = pushpin::Answer<Content>;

/// The part of the protocol that a test takes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// Proxies pass on every item in the order in which it arrives.
    Links,
    /// Proxies never send a recovery of their own.
    Silence,
    /// Origins answer a recovery without the events that were missed.
    Recovery,
    /// Origins answer with what is left of the events that were missed, and without a gap.
    Part,
    /// An item takes the place of one that waits for the same proxy, as items of numbers do.
    Merge,
    /// Origins compare the event that a listener has seen with the last claim only if both are in one epoch.
    Waiting,
    /// The events of a store that has lost some are in the same epoch.
    Epoch,
    /// A deletion in a store that has lost events is in the same epoch.
    DeletionEpoch,
    /// The store forgets a deleted feed as soon as the deletion is acknowledged.
    Tombstone,
}

/// The state of the whole chain.
pub(crate) struct FeedChain {
    broken: Broken,
    now: Time,
    feed: Feed,
    history: u64,
    epochs: u64,
    /// A copy of the store's data.
    copy: Option<Feed>,
    origins: Vec<Origin>,
    proxies: Vec<Proxy<Content>>,
    listeners: Vec<Listener>,
    pub(crate) wrongs: Vec<String>,
}

impl FeedChain {
    pub(crate) fn new(broken: Broken) -> Self {
        FeedChain {
            broken,
            now: 1,
            feed: Feed::default(),
            history: 1,
            epochs: 0,
            copy: None,
            origins: vec![Origin::new(true); ORIGINS],
            proxies: vec![Proxy::start(broken != Broken::Links); PROXIES],
            listeners: vec![Listener::default(); LISTENERS],
            wrongs: Vec::new(),
        }
    }

    /// The arguments that the store gets at this moment.
    fn moment(&mut self) -> Now {
        self.epochs += 1;
        let history = if self.broken == Broken::Epoch { 1 } else { self.history };
        Now { time: self.now, history, epoch: Epoch::new(self.epochs) }
    }

    /// Returns what is wrong and must never be, at any moment.
    fn check(&mut self) {
        let topic = &self.feed.topic;
        if topic.due.is_none() && (topic.is_unpublished() || !topic.acknowledged && topic.revision > 0) {
            self.wrongs.push("the outbox is empty, and something is not announced".into());
        }
    }

    /// Returns what is wrong when faults ended some time ago.
    fn check_the_end(&mut self) {
        if self.feed.topic.due.is_some() {
            self.wrongs.push("something is left in the outbox".into());
        }
        let newest = self.feed.newest();
        for (index, listener) in self.listeners.iter().enumerate() {
            let is_on = matches!(listener.stream, Stream::On(_));
            if !is_on || listener.seen.is_none_or(|seen| seen.id != newest.id) {
                self.wrongs.push(format!("listener {index} has seen {:?}, not {newest:?}", listener.seen));
            }
        }
    }
}
