//! Changes of topics.

use std::sync::Arc;
use std::time::Duration;

use super::change::{Change, KeyUse};
use super::claim::Announcement;
use super::error::StoreError;
use super::key_lifetime::KEY_LIFETIME;
use super::visits::Visit;
use crate::domain::{EventId, FieldChanges, IdempotencyKey, JsonText, MergeError, Topic};

/// One change of one topic, as a store applies it in one atomic step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The topic to change.
    pub topic: Topic,
    /// How to change the topic.
    pub change: Change,
    /// If given, the change is claimed in the same step with this lease, even if the gate is shut: an origin that publishes every
    /// value must not lose a value to another claimant. The gate stays as it is. Only a number is claimed in this step.
    pub claim: Option<Duration>,
    /// If given, the change is applied once for its key. A combination of several amounts has no key.
    pub once: Option<Once>,
    /// Whether the change may create the topic. If it may not, and the topic does not exist, the answer is
    /// [`WriteError::WouldBeNew`]. A deletion never creates a topic.
    pub may_create: bool,
    /// If given, the topic is a site, and the visitor is counted in the same step, unless the change is refused. A repetition of the change counts
    /// its visitor, too. A combination of several amounts has no visit.
    pub visit: Option<Visit>,
    /// If given, the events of a [`Change::Append`] were taken at this time, in milliseconds since 1970; else they are taken now.
    pub at: Option<u64>,
    /// If given, the life of the entity of a [`Change::Merge`] ends at this time, in milliseconds since 1970, whatever the merge says.
    pub ends: Option<u64>,
}

/// What makes a repeated change apply once: the same key on the same topic applies once within the lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The key.
    pub key: IdempotencyKey,
    /// How long the key is remembered. A repetition does not prolong this time.
    pub lifetime: Duration,
    /// What a repetition is answered.
    pub replay: Replay,
}

/// The answer to a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The answer to the first use of the key.
    FirstAnswer,
    /// The present value of the topic.
    Present,
}

impl From<IdempotencyKey> for Once {
    /// The key of a client that repeats a request whose answer it may have lost.
    fn from(key: IdempotencyKey) -> Self {
        Once { key, lifetime: KEY_LIFETIME, replay: Replay::FirstAnswer }
    }
}

impl Write {
    /// Adds a single amount to a topic that may be new.
    pub fn add(topic: Topic, amount: i64, key: Option<IdempotencyKey>) -> Self {
        Write { once: key.map(Once::from), ..Write::new(topic, Change::Add(amount.into())) }
    }

    /// Changes the fields of an entity that may be new.
    pub fn merge(topic: Topic, fields: FieldChanges) -> Self {
        Write::new(topic, Change::Merge(Arc::new(fields.into())))
    }

    /// Appends an event that was taken at this time, in milliseconds since 1970, to a feed that may be new.
    pub fn append_past(feed: Topic, event: JsonText, at: u64) -> Self {
        Write { at: Some(at), ..Write::new(feed, Change::Append([event].into())) }
    }

    /// Changes a topic that may be new.
    pub fn new(topic: Topic, change: Change) -> Self {
        Write { topic, change, claim: None, once: None, may_create: true, visit: None, at: None, ends: None }
    }
}

/// The answer to a [`Write`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The number after the change, 0 after a deletion and for a topic that holds no number; if the key is replayed, see [`Replay`].
    pub value: i64,
    /// An earlier call has used the key for the same change, so this call has changed nothing.
    pub replayed: bool,
    /// The change has created the topic, so the store has one topic more.
    pub created: bool,
    /// The change has deleted the topic, so the store has one topic less. If the key is replayed, this is as in the answer to its
    /// first use.
    pub removed: bool,
    /// The announcement, if the [`Write`] asked for a claim and has changed the topic. Its `id` is that of the last of the
    /// combined changes; the changes before that one have the revisions before.
    pub claimed: Option<Announcement>,
    /// When and as what the store took a [`Change::Merge`] or a [`Change::Append`]. If the key is replayed, this is as in the answer to
    /// its first use.
    pub stamp: Option<Stamp>,
}

/// When and as what a store took a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The revision of the change; of several events, that of the last one.
    pub id: EventId,
    /// The time of the store, in milliseconds since 1970.
    pub at: u64,
}

/// Why a [`Write`] was not applied, or may not have been applied.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// A value on the way would leave ±(2^53-1); nothing was changed.
    #[error("the value would leave ±9007199254740991")]
    OutOfRange,
    /// The fields of the entity do not allow the change; nothing was changed.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The idempotency key was used for another change; nothing was changed.
    #[error("the idempotency key was used with {0}")]
    KeyReused(KeyUse),
    /// The topic does not exist, and the change must not create it; nothing was changed.
    #[error("the topic would be new")]
    WouldBeNew,
    /// The store has not answered. The change may have been applied.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}
