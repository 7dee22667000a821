//! The interface of the stores: one trait, with as few methods as the use cases need. Every method takes a batch.
//!
//! Batches make a store fast: one round trip to Redis, or one commit to disk, for all items that wait. Each item has its own
//! answer, in the order of the items, since a store may lose a part of itself (a node of a Cluster).

mod bounds;
mod random;
pub mod redis;
pub mod sqlite;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{EventId, IdempotencyKey, Topic};

/// What a store must guarantee. Each item of [`add`](Store::add) and [`claim`](Store::claim) is one atomic step for all processes
/// that use the store. Only the clock of the store measures times (gate, lease, grace).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Adds, each item in one atomic step: value, revision, and the topic's mark in the outbox (due [`GRACE`] after
    /// its gate can be open, at most [`LONGEST_LEASE`] ahead). The items are applied in order. After an
    /// [`AddError::Unavailable`] the item may have been counted or not.
    async fn add(&self, adds: Vec<Add>) -> Vec<Result<Added, AddError>>;

    /// The present state of topics. A topic that has never changed has the value 0 and no epoch.
    async fn read(&self, topics: Vec<Topic>) -> Vec<Result<Reading, StoreError>>;

    /// Claims the unpublished changes of topics. One caller wins: see [`Claim`].
    async fn claim(&self, topics: Vec<Topic>, terms: ClaimTerms) -> Vec<Result<Claim, StoreError>>;

    /// Removes the outbox marks of topics whose last claim is the given one; a topic that has changed since keeps its
    /// mark, due after [`GRACE`]. Acknowledging an older claim, or twice, changes nothing.
    async fn acknowledge(&self, claims: Vec<(Topic, EventId)>) -> Result<(), StoreError>;

    /// Up to `limit` topics whose mark is overdue: no process has announced them within the grace or the lease. In each `pause`,
    /// one caller of all processes is given topics; the others get none.
    async fn overdue(&self, limit: usize, pause: Duration) -> Result<Vec<Topic>, StoreError>;

    /// How many topics have a mark in the outbox.
    async fn outbox_len(&self) -> Result<u64, StoreError>;

    /// How many topics there are. Callers ask at most once a second.
    async fn topic_count(&self) -> Result<u64, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// How long after a change its mark becomes overdue. Within this time the origin that has changed the topic announces it, and
/// sweeps leave it alone.
pub const GRACE: Duration = Duration::from_secs(2);

/// The longest lease. A mark that is due later is from before the clock of the store was set back, so it is overdue.
pub const LONGEST_LEASE: Duration = Duration::from_secs(60);

/// How long an idempotency key is remembered.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Amounts to add to one topic as one change. The amounts of several callers may be combined: then `sum` is their sum,
/// and `lowest`/`highest` the least and greatest running total on the way, so that the store can refuse a combination
/// in which some caller's own value would be out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// The topic to add to.
    pub topic: Topic,
    /// The change of the value.
    pub sum: i64,
    /// The least running total; at most `sum`, and `sum` for a single amount.
    pub lowest: i64,
    /// The greatest running total; at least `sum`, and `sum` for a single amount.
    pub highest: i64,
    /// The number of amounts. The revision grows by this number.
    pub changes: u32,
    /// If given, the change is claimed in the same step with this lease, even if the gate is shut: an origin that publishes every
    /// value must not lose one to another claimant. The gate stays as it is.
    pub claim: Option<Duration>,
    /// If given, the same key on the same topic counts once within [`KEY_LIFETIME`]. A combination has no key.
    pub key: Option<IdempotencyKey>,
    /// Whether the topic may be new. If it may not, and would be, the answer is [`AddError::WouldBeNew`].
    pub may_create: bool,
}

impl Add {
    /// A single amount, to a topic that may be new.
    pub fn single(topic: Topic, amount: i64, key: Option<IdempotencyKey>) -> Self {
        Add {
            topic,
            sum: amount,
            lowest: amount,
            highest: amount,
            changes: 1,
            claim: None,
            key,
            may_create: true,
        }
    }
}

/// The answer to an [`Add`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// The value after the change; of a replayed key, the value its first use was answered with.
    pub value: i64,
    /// The key had been used before, by an earlier call, with the same amount: nothing was changed.
    pub replayed: bool,
    /// The topic had never been changed before: there is one more now.
    pub created: bool,
    /// The value to announce, if the [`Add`] asked for a claim and changed something. Its `id` is that of the last of the
    /// `changes`; the changes before it have the revisions before.
    pub claimed: Option<Announcement>,
}

/// Why an [`Add`] was not counted, or may not have been counted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AddError {
    /// A value on the way would leave ±(2^53-1); nothing was changed.
    #[error("the value would leave ±9007199254740991")]
    OutOfRange,
    /// The idempotency key was used with this other amount; nothing was changed.
    #[error("the idempotency key was used with the amount {0}")]
    KeyReused(i64),
    /// The topic has never been changed, and must not be new; nothing was changed.
    #[error("the topic would be new")]
    WouldBeNew,
    /// The store has not answered. The addition may have been counted.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// A topic's present state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The present value.
    pub value: i64,
    /// The present revision.
    pub id: EventId,
    /// The revision claimed last, which listeners have seen or will see soon.
    pub published: EventId,
}

/// The conditions of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimTerms {
    /// How long the topic's gate stays shut behind a successful claim. Zero leaves it open.
    pub interval: Duration,
    /// How long the claimant has to acknowledge before a sweep may announce the topic again; at most [`LONGEST_LEASE`].
    pub lease: Duration,
}

/// The answer to asking for a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The caller must announce this. A claim whose lease has run out without an acknowledgement is given again with the same ids
    /// and value, so that a proxy that has them drops them.
    Announce(Announcement),
    /// A change is unpublished, but the gate is shut for this long.
    Wait(Duration),
    /// Every change is published, or another claim has a lease.
    Nothing,
}

/// A value to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The value at `id`.
    pub value: i64,
    /// The revision to publish.
    pub id: EventId,
    /// The revision published before it; [`EventId::default`] before the first.
    pub prev: EventId,
}

/// The result of removing old topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many topics were looked at.
    pub seen: u64,
    /// How many of them were old, and are removed if that was asked for.
    pub old: u64,
}

/// The store cannot be reached, or does not answer as it should. Cheap to clone: one failure answers a whole batch.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the store is unavailable: {0}")]
pub struct StoreError(#[source] Arc<dyn Error + Send + Sync>);

impl StoreError {
    /// Wraps what the store's client said; it goes to logs, never to clients.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        StoreError(Arc::from(source.into()))
    }

    /// What the store's client said.
    pub fn reason(&self) -> String {
        self.0.to_string()
    }
}
