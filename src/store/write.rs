//! Changes of topics.

use std::fmt;
use std::time::Duration;

use super::claim::Announcement;
use super::error::StoreError;
use super::key_lifetime::KEY_LIFETIME;
use super::visits::Visit;
use crate::domain::{IdempotencyKey, Topic};

/// One change of one topic, as a store applies it in one atomic step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The topic to change.
    pub topic: Topic,
    /// How to change the topic.
    pub change: Change,
    /// If given, the change is claimed in the same step with this lease, even if the gate is shut: an origin that publishes every
    /// value must not lose a value to another claimant. The gate stays as it is.
    pub claim: Option<Duration>,
    /// If given, the change is applied once for its key. A combination of several amounts has no key.
    pub once: Option<Once>,
    /// Whether the change may create the topic. If it may not, and the topic does not exist, the answer is
    /// [`WriteError::WouldBeNew`]. A deletion never creates a topic.
    pub may_create: bool,
    /// If given, the topic is a site, and the visitor is counted in the same step, unless the change is refused. A repetition of the change counts
    /// its visitor, too. A combination of several amounts has no visit.
    pub visit: Option<Visit>,
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

/// How a topic changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds amounts to the topic's number. A topic that does not exist counts as 0.
    Add(Sum),
    /// Sets the topic's number. A number beyond ±[`LIMIT`](crate::domain::LIMIT) is [`WriteError::OutOfRange`].
    Set(i64),
    /// Deletes the topic. The deletion is announced like any other change. If the topic does not exist, nothing changes.
    Delete,
}

/// Amounts that are added to one topic as one change. The amounts of several callers may be combined: then `total` is their sum,
/// and `lowest`/`highest` the least and greatest running total on the way, so that the store can refuse a combination in which
/// the value of some caller would be out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The change of the value.
    pub total: i64,
    /// The least running total; at most `total`, and `total` for a single amount.
    pub lowest: i64,
    /// The greatest running total; at least `total`, and `total` for a single amount.
    pub highest: i64,
    /// The number of amounts. The revision grows by this number.
    pub changes: u32,
}

impl From<i64> for Sum {
    /// A single amount.
    fn from(amount: i64) -> Self {
        Sum { total: amount, lowest: amount, highest: amount, changes: 1 }
    }
}

impl Write {
    /// Adds a single amount to a topic that may be new.
    pub fn add(topic: Topic, amount: i64, key: Option<IdempotencyKey>) -> Self {
        Write { once: key.map(Once::from), ..Write::new(topic, Change::Add(amount.into())) }
    }

    /// Changes a topic that may be new.
    pub fn new(topic: Topic, change: Change) -> Self {
        Write { topic, change, claim: None, once: None, may_create: true, visit: None }
    }
}

/// The answer to a [`Write`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The value after the change, 0 after a deletion; if the key is replayed, see [`Replay`].
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
}

/// Why a [`Write`] was not applied, or may not have been applied.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// A value on the way would leave ±(2^53-1); nothing was changed.
    #[error("the value would leave ±9007199254740991")]
    OutOfRange,
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

/// The change for which an idempotency key was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// The key was used to add this amount.
    Add(i64),
    /// The key was used to set this value.
    Set(i64),
    /// The key was used to delete the topic.
    Delete,
}

impl KeyUse {
    /// The use of a key that a caller gives with this change.
    pub fn of(change: Change) -> Self {
        match change {
            Change::Add(sum) => KeyUse::Add(sum.total),
            Change::Set(value) => KeyUse::Set(value),
            Change::Delete => KeyUse::Delete,
        }
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyUse::Add(amount) => write!(f, "the amount {amount}"),
            KeyUse::Set(value) => write!(f, "the value {value}"),
            KeyUse::Delete => f.write_str("a deletion"),
        }
    }
}
