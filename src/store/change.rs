//! The forms of changes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{Context, SHA256};

use super::error::StoreError;
use crate::domain::{FieldChange, FieldChanges, JsonText, Kind, Topic};

/// How a topic changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds amounts to the topic's number. A topic that does not exist counts as 0.
    Add(Sum),
    /// Sets the topic's number. A number beyond ±[`LIMIT`](crate::domain::LIMIT) is [`WriteError::OutOfRange`].
    Set(i64),
    /// Changes fields of an entity, all of them or none.
    Merge(Arc<Merge>),
    /// Appends events to a feed, in this order. There is at least one.
    Append(Arc<[JsonText]>),
    /// Deletes the topic. The deletion is announced like any other change. If the topic does not exist, nothing changes.
    Delete,
}

impl Change {
    /// Whether topics of this kind change in this form. A topic of any kind can be deleted.
    pub(super) fn fits(&self, topic: &Topic) -> bool {
        match self {
            Change::Add(_) | Change::Set(_) => topic.holds_number(),
            Change::Merge(_) => topic.kind() == Some(Kind::Entity),
            Change::Append(_) => topic.kind() == Some(Kind::Feed),
            Change::Delete => true,
        }
    }
}

/// The error for a change whose form does not fit its topic.
pub(super) fn misfit() -> StoreError {
    StoreError::new("a change of this form does not fit the topic")
}

/// What is merged into an entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merge {
    /// The changes of fields. If there are none, the entity is created or stays as it is, and has one more revision.
    pub fields: FieldChanges,
    /// If given, the entity is deleted when this time is over, unless another merge changes the time. Without a time, an entity keeps the
    /// end of its life.
    pub keep: Option<Duration>,
}

impl From<FieldChanges> for Merge {
    fn from(fields: FieldChanges) -> Self {
        Merge { fields, keep: None }
    }
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

/// The change for which an idempotency key was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// The key was used to add this amount.
    Add(i64),
    /// The key was used to set this value.
    Set(i64),
    /// The key was used to change fields. The number is the beginning of a digest of the changes.
    Merge(u64),
    /// The key was used to append events. The number is the beginning of a digest of the events.
    Append(u64),
    /// The key was used to delete the topic.
    Delete,
}

impl KeyUse {
    /// The use of a key that a caller gives with this change.
    pub fn of(change: &Change) -> Self {
        match change {
            Change::Add(sum) => KeyUse::Add(sum.total),
            Change::Set(value) => KeyUse::Set(*value),
            Change::Merge(merge) => KeyUse::Merge(merge.digest()),
            Change::Append(events) => {
                KeyUse::Append(digest(events.iter().map(|event| (0, "", event.as_str()))))
            }
            Change::Delete => KeyUse::Delete,
        }
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyUse::Add(amount) => write!(f, "the amount {amount}"),
            KeyUse::Set(value) => write!(f, "the value {value}"),
            KeyUse::Merge(_) => f.write_str("other fields"),
            KeyUse::Append(_) => f.write_str("other events"),
            KeyUse::Delete => f.write_str("a deletion"),
        }
    }
}

impl Merge {
    /// The beginning of a digest of the changes.
    fn digest(&self) -> u64 {
        let keep = self.keep.map(|keep| keep.as_millis().to_string());
        let changes: Vec<(u8, &str, String)> = self
            .fields
            .iter()
            .map(|(name, change)| match change {
                FieldChange::Add(number) => (1, name, number.to_string()),
                FieldChange::Set(value) => (2, name, value.as_str().to_owned()),
                FieldChange::Remove => (3, name, String::new()),
            })
            .collect();
        let keep = keep.iter().map(|keep| (4, "", keep.as_str()));
        digest(changes.iter().map(|(form, name, value)| (*form, *name, value.as_str())).chain(keep))
    }
}

/// The first 64 bits of the SHA-256 of these parts with their lengths. Clients choose their keys, so they gain nothing from two changes
/// with one digest.
fn digest<'a>(parts: impl Iterator<Item = (u8, &'a str, &'a str)>) -> u64 {
    let mut context = Context::new(&SHA256);
    for (form, name, value) in parts {
        context.update(&[form]);
        for text in [name, value] {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
    }
    let digest = context.finish();
    digest.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
