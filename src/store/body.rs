//! What a topic holds, and its present state.

use std::fmt;

use crate::domain::EventId;

/// What a topic holds at a revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// The topic holds this number.
    Number(i64),
    /// The topic does not exist: it has never changed, or it was deleted. Streams show 0.
    #[default]
    Gone,
}

impl Body {
    /// The number that is shown: 0 if there is no topic.
    pub fn number(self) -> i64 {
        match self {
            Body::Number(number) => number,
            Body::Gone => 0,
        }
    }
}

/// The text that streams show.
impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// The present state of a topic. A topic that has never changed has the default reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What the topic holds now.
    pub body: Body,
    /// The present revision. A deleted topic keeps its last revision for [`TOMBSTONE_LIFETIME`](super::TOMBSTONE_LIFETIME).
    pub id: EventId,
    /// The revision claimed last, which listeners have seen or will see soon.
    pub published: EventId,
}

impl Reading {
    /// The number that is shown: 0 if there is no topic.
    pub fn value(&self) -> i64 {
        self.body.number()
    }
}
