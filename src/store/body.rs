//! What a topic holds, and its present state.

use std::sync::Arc;

use crate::domain::{Document, EventId, FeedEvent};

/// What a topic holds at a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// The topic holds this number.
    Number(i64),
    /// The topic is an entity with these fields.
    Document(Arc<Document>),
    /// The topic is a feed. A claim of a feed has the events since the claim before it, the oldest first; a reading of a feed has none.
    Events(Arc<[FeedEvent]>),
    /// The topic does not exist: it has never changed, or it was deleted. Streams show 0, and those of an entity `null`.
    #[default]
    Gone,
}

impl Body {
    /// The number that is shown: 0 if there is no topic, and for a topic that holds no number.
    pub fn number(&self) -> i64 {
        match self {
            Body::Number(number) => *number,
            Body::Document(_) | Body::Events(_) | Body::Gone => 0,
        }
    }
}

/// The present state of a topic. A topic that has never changed has the default reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
