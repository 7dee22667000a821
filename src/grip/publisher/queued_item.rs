//! An item that waits for one endpoint, and the merge of two items of one channel.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::error::Refusal;
use crate::grip::item::Posted;
use crate::grip::{Item, Retain};

/// Tells the publisher whether the endpoint has accepted the item or a newer item of its channel.
pub(super) type OutcomeSender = oneshot::Sender<Result<(), Refusal>>;

/// What an item takes besides its texts, in bytes.
const OVERHEAD: usize = 400;

/// An item that waits for one endpoint.
#[derive(Debug)]
pub(super) struct QueuedItem {
    pub(super) item: Arc<Item>,
    /// The item's own `prev-id`; if the item has replaced one that the endpoint never got, the `prev-id` of that one.
    pub(super) prev_id: Option<String>,
    /// Whether the endpoint may have got the item: an attempt ended without an answer.
    pub(super) doubtful: bool,
    pub(super) waiters: Vec<OutcomeSender>,
}

impl QueuedItem {
    pub(super) fn new(item: Arc<Item>, waiter: OutcomeSender) -> Self {
        let prev_id = item.prev_id.clone();
        QueuedItem { item, prev_id, doubtful: false, waiters: vec![waiter] }
    }

    pub(super) fn item(&self) -> &Item {
        &self.item
    }

    /// Whether the item stays in the queue when a newer one of its channel comes.
    pub(super) fn is_kept(&self) -> bool {
        self.item.retain == Retain::All
    }

    /// How much memory the item takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.item.content.len() + self.item.channel.len() + OVERHEAD
    }

    /// Whether `newer` takes the place of this item: it is the same item again, or only the newest item of the channel waits.
    pub(super) fn is_replaced_by(&self, newer: &QueuedItem) -> bool {
        !self.is_kept() || self.item.id == newer.item.id
    }

    /// Sends the outcome to every waiter. A waiter that has given up has closed its end, so nothing is sent to it.
    pub(super) fn settle(self, outcome: Result<(), Refusal>) {
        for waiter in self.waiters {
            let _ = waiter.send(outcome);
        }
    }

    pub(super) fn posted(&self) -> Posted<'_> {
        Posted { item: &self.item, prev_id: self.prev_id.as_deref() }
    }

    fn follows(&self, other: &QueuedItem) -> bool {
        self.prev_id.as_deref() == Some(&other.item.id)
    }

    /// Merges two entries of a channel into one; `self` was queued first.
    ///
    /// The chain stays whole: 6-after-5 in the place of an undelivered 5-after-4 becomes 6-after-4. If 5 may have been delivered, 6
    /// stays after 5. If the endpoint has not got 5 after all, the proxy notices the gap and asks the origin.
    pub(super) fn merge(mut self, mut newer: QueuedItem) -> QueuedItem {
        let waiters = self.waiters.drain(..).chain(newer.waiters.drain(..));
        // Waiters that have given up are dropped here, as they would otherwise pile up in a long outage.
        let waiters = waiters.filter(|waiter| !waiter.is_closed()).collect();
        let mut kept = if newer.item.id == self.item.id {
            self
        } else if self.follows(&newer) {
            // The items came in the wrong order, so the later state stays.
            if !newer.doubtful {
                self.prev_id = newer.prev_id;
            }
            self
        } else {
            if newer.follows(&self) && !self.doubtful {
                newer.prev_id = self.prev_id;
            }
            newer
        };
        kept.waiters = waiters;
        kept
    }
}
