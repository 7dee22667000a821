//! The seam to whatever keeps the numbers: one trait, as few methods as the use cases need, every one for a batch.
//!
//! Batches because that is what makes a store fast: one round trip to Redis, one commit to disk, for everything that
//! is waiting. Answers come per item, in the order asked, since a store may lose a part of itself (a Cluster node).

mod bounds;
mod random;
pub mod redis;
pub mod sqlite;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{EventId, IdempotencyKey, Topic};

/// What a store must guarantee. Each item of [`add`](Store::add) and [`claim`](Store::claim) is one atomic step, over
/// all processes that use the store. Times (gate, lease, grace) are measured by the store's clock alone.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Adds, each item in one atomic step: value, revision, and the topic's mark in the outbox (due [`GRACE`] after
    /// its gate can be open, at most [`LONGEST_LEASE`] ahead). The items are taken in order. An [`AddError::Unavailable`] may or may not have been counted.
    async fn add(&self, adds: Vec<Add>) -> Vec<Result<Added, AddError>>;

    /// The present state of topics; of one never changed: value 0, epoch none.
    async fn read(&self, topics: Vec<Topic>) -> Vec<Result<Reading, StoreError>>;

    /// Claims what is unpublished, for whoever asks first: see [`Claim`].
    async fn claim(&self, topics: Vec<Topic>, terms: ClaimTerms) -> Vec<Result<Claim, StoreError>>;

    /// Removes the outbox marks of topics whose last claim is the given one; a topic that has changed since keeps its
    /// mark, due after [`GRACE`]. Acknowledging an older claim, or twice, changes nothing.
    async fn acknowledge(&self, claims: Vec<(Topic, EventId)>) -> Result<(), StoreError>;

    /// Up to `limit` topics whose mark is overdue: nobody has announced them within the grace or the lease. At most one
    /// caller per `pause`, over all processes, is given any; the others get none.
    async fn overdue(&self, limit: usize, pause: Duration) -> Result<Vec<Topic>, StoreError>;

    /// How many topics are marked in the outbox, announced or not.
    async fn outbox_len(&self) -> Result<u64, StoreError>;

    /// How many topics there are. Cheap, but not for every request: what needs it asks at most once a second.
    async fn topic_count(&self) -> Result<u64, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// How long after a change its mark becomes overdue, so that a sweep leaves alone what its own origin is about to announce.
pub const GRACE: Duration = Duration::from_secs(2);

/// No lease may be longer. So a mark that is due later is from before the store's clock was set back, and overdue.
pub const LONGEST_LEASE: Duration = Duration::from_secs(60);

/// How long an idempotency key is remembered.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Amounts to add to one topic as one change. The amounts of several callers may be combined: then `sum` is their sum,
/// and `lowest`/`highest` the least and greatest running total on the way, so that the store can refuse a combination
/// in which some caller's own value would be out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// What is added to.
    pub topic: Topic,
    /// The change of the value.
    pub sum: i64,
    /// The least running total; at most `sum`, and `sum` for a single amount.
    pub lowest: i64,
    /// The greatest running total; at least `sum`, and `sum` for a single amount.
    pub highest: i64,
    /// How many amounts these are; the revision grows by as many.
    pub changes: u32,
    /// Given, the change is claimed in the same step, with this lease and whatever the gate: who publishes every
    /// value must not lose one to another claimant. The gate stays as it is.
    pub claim: Option<Duration>,
    /// Given, the same key on the same topic counts once within [`KEY_LIFETIME`]. Never on a combination.
    pub key: Option<IdempotencyKey>,
    /// Whether the topic may be new. Where not, and it would be, the answer is [`AddError::WouldBeNew`].
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
    /// What to announce, where the [`Add`] asked for a claim and changed something: its `id` is that of the last of
    /// the `changes`, the ones before it have the revisions before.
    pub claimed: Option<Announcement>,
}

/// Why an [`Add`] was not counted, or is not known to be.
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
    /// No answer. It may have been counted.
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
    /// The revision claimed last: what listeners have seen, or are about to.
    pub published: EventId,
}

/// The conditions of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimTerms {
    /// How long the topic's gate stays shut behind a successful claim. Zero leaves it open.
    pub interval: Duration,
    /// How long the claimant has to acknowledge, before anybody's sweep may announce it again; at most [`LONGEST_LEASE`].
    pub lease: Duration,
}

/// The answer to asking for a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Ours to announce. Also given for a claim whose lease has run out unacknowledged: then ids and value repeat, so
    /// that a proxy that had it drops it.
    Announce(Announcement),
    /// Something is unpublished, but the gate is shut for so long.
    Wait(Duration),
    /// Everything is published, or claimed by somebody within the lease.
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

/// What removing old topics has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Topics looked at.
    pub seen: u64,
    /// Those of them that were old, and are removed where that was asked for.
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
