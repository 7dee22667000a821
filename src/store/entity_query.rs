//! Which entities of a route a caller needs, and which of their fields.

use std::ops::Bound;

use smol_str::SmolStr;

use crate::domain::{Document, EntityKey, JsonText, Route, Topic};

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
    /// The most memory that the entities may take, in bytes as [`EntityQuery::size`] counts them. The entity that takes more is the last of the answer.
    pub most_bytes: usize,
    /// The fields that the caller needs; `None` for all.
    pub fields: Option<Vec<SmolStr>>,
}

impl EntityQuery {
    /// All entities of the route with all fields, in the order of their keys.
    pub fn all(route: Route) -> Self {
        EntityQuery {
            route,
            low: Bound::Unbounded,
            high: Bound::Unbounded,
            descending: false,
            limit: usize::MAX,
            most_bytes: usize::MAX,
            fields: None,
        }
    }

    /// The same query without the entities up to this one.
    #[must_use]
    pub fn behind(mut self, key: &EntityKey) -> Self {
        let bound = Bound::Excluded(key.as_str().to_owned());
        if self.descending {
            self.high = bound;
        } else {
            self.low = bound;
        }
        self
    }

    /// How many bytes of memory an entity takes, about.
    pub fn size(key: &EntityKey, document: &Document) -> usize {
        key.as_str().len() + document.bytes() + document.len() * size_of::<(SmolStr, JsonText)>()
    }

    /// The fields of the document that the caller needs.
    pub(super) fn needed(&self, document: &Document) -> Document {
        let Some(names) = &self.fields else { return document.clone() };
        let field = |name: &SmolStr| document.get(name).map(|value| (name.clone(), value.clone()));
        Document::of(names.iter().filter_map(field).collect())
    }

    /// The texts between which the names of the entities' topics lie: from the first one on, and before the second one.
    pub(super) fn names(&self) -> (String, String) {
        let name = |key: &str| Topic::entity_prefix(&self.route, key);
        // No key has a NUL, so no key lies between a key and the same with a NUL behind it.
        let behind = |key: &str| name(key) + "\0";
        let low = match &self.low {
            Bound::Included(low) => name(low),
            Bound::Excluded(low) => behind(low),
            Bound::Unbounded => name(""),
        };
        let high = match &self.high {
            Bound::Included(high) => behind(high),
            Bound::Excluded(high) => name(high),
            Bound::Unbounded => name(BEHIND_ALL),
        };
        (low, high)
    }
}

/// Sorts after all keys.
const BEHIND_ALL: &str = "\u{7f}";

/// The entities that a store has found so far, in the order of the query.
pub(super) struct FoundEntities<'a> {
    query: &'a EntityQuery,
    entities: Vec<(EntityKey, Document)>,
    bytes: usize,
}

impl<'a> FoundEntities<'a> {
    pub(super) fn of(query: &'a EntityQuery) -> Self {
        FoundEntities { query, entities: Vec::new(), bytes: 0 }
    }

    /// How many more entities the caller needs; 0 if those found have as much memory as they may have.
    pub(super) fn missing(&self) -> usize {
        let is_full = self.bytes > self.query.most_bytes;
        if is_full { 0 } else { self.query.limit.saturating_sub(self.entities.len()) }
    }

    /// Adds entities, as many as the caller needs.
    pub(super) fn add(&mut self, entities: impl IntoIterator<Item = (EntityKey, Document)>) {
        for (key, document) in entities {
            if self.missing() == 0 {
                break;
            }
            self.bytes += EntityQuery::size(&key, &document);
            self.entities.push((key, document));
        }
    }

    pub(super) fn into_vec(self) -> Vec<(EntityKey, Document)> {
        self.entities
    }
}
