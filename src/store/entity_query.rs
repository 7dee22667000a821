//! Which entities of a route a caller needs, and which of their fields.

use std::ops::Bound;

use smol_str::SmolStr;

use super::Body;
use crate::domain::{Document, EntityKey, Route, Topic};

/// Which entities of a route a caller needs, and which of their fields.
#[derive(Clone, Debug)]
pub struct EntityQuery {
    /// The route.
    pub route: Route,
    /// The least key.
    pub low: Bound<String>,
    /// The greatest key.
    pub high: Bound<String>,
    /// Whether the greatest keys come first.
    pub descending: bool,
    /// The most entities.
    pub limit: usize,
    /// The fields that the caller needs; `None` for all. Other fields may be in the answer, too.
    pub fields: Option<Vec<SmolStr>>,
}

impl EntityQuery {
    /// Whether the key is within the bounds.
    pub fn contains(&self, key: &str) -> bool {
        let above = match &self.low {
            Bound::Included(low) => key >= low.as_str(),
            Bound::Excluded(low) => key > low.as_str(),
            Bound::Unbounded => true,
        };
        above && !self.is_beyond(key)
    }

    /// The key and the fields of a topic, if the topic is one of the entities that the caller needs. Routes below this one have topics
    /// whose names begin like those of this route.
    pub(super) fn entity(&self, topic: &Topic, body: &Body) -> Option<(EntityKey, Document)> {
        let (_, key) =
            topic.entity_name().filter(|(route, key)| *route == self.route && self.contains(key.as_str()))?;
        match body {
            Body::Document(document) => Some((key, Document::clone(document))),
            _ => None,
        }
    }

    fn is_beyond(&self, key: &str) -> bool {
        match &self.high {
            Bound::Included(high) => key > high.as_str(),
            Bound::Excluded(high) => key >= high.as_str(),
            Bound::Unbounded => false,
        }
    }
}
