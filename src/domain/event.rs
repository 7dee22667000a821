//! The identity of a published value: what GRIP calls `id` and `prev-id`, and with the name of its topic SSE calls `id`.

use std::fmt;
use std::str::FromStr;

/// A random number of a topic, drawn when the topic is created: so an id never comes back after the store has lost its data. A
/// topic that has never changed has [`Epoch::NONE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch of a topic that has never changed.
    pub const NONE: Epoch = Epoch(0);

    /// The epoch with this number; stores keep 48 bits, which every store's integers hold exactly.
    pub fn new(number: u64) -> Self {
        Epoch(number & ((1 << 48) - 1))
    }

    /// The number, below 2^48.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// Epoch and revision, written `epoch-revision` with the epoch in hexadecimal. Opaque to clients. Within an epoch the
/// revision only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventId {
    /// See [`Epoch`].
    pub epoch: Epoch,
    /// Grows by at least one with every change of the topic; 0 before the first.
    pub revision: u64,
}

impl EventId {
    /// Whether a listener that has seen `self` must be shown `other`: a newer revision, or another epoch.
    pub fn is_older_than(self, other: EventId) -> bool {
        self.epoch != other.epoch || self.revision < other.revision
    }

    /// Whether `other` came later in the same epoch.
    pub fn precedes(self, other: EventId) -> bool {
        self.epoch == other.epoch && self.revision < other.revision
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch.0, self.revision)
    }
}

/// The text is not of the form `hexadecimal-decimal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event id")]
pub struct ParseEventIdError;

impl FromStr for EventId {
    type Err = ParseEventIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, revision) = text.split_once('-').ok_or(ParseEventIdError)?;
        let id = EventId {
            epoch: Epoch(u64::from_str_radix(epoch, 16).map_err(|_| ParseEventIdError)?),
            revision: revision.parse().map_err(|_| ParseEventIdError)?,
        };
        // Each id has one text: with a "+" or a leading zero, equal ids would have different texts.
        if id.to_string() == text { Ok(id) } else { Err(ParseEventIdError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn another_epoch_is_always_news() {
        let old = EventId { epoch: Epoch::new(7), revision: 90 };
        let reborn = EventId { epoch: Epoch::new(8), revision: 1 };
        assert!(old.is_older_than(reborn) && reborn.is_older_than(old));
        assert!(!old.is_older_than(old));
        assert!(!old.is_older_than(EventId { revision: 89, ..old }));
        assert!(!old.precedes(reborn) && !reborn.precedes(old) && !old.precedes(old));
        assert!(EventId { revision: 89, ..old }.precedes(old));
    }

    proptest! {
        #[test]
        fn an_id_survives_its_text(epoch: u64, revision: u64) {
            let id = EventId { epoch: Epoch::new(epoch), revision };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            if let Ok(id) = text.parse::<EventId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
