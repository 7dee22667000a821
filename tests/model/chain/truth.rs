//! What clients have written since the last deletion, and what must have come of it. No part of the chain knows it.

use std::collections::BTreeSet;
use std::sync::Arc;

use livecounter::domain::{Document, FieldChange, JsonText};
use livecounter::store::Body;

use crate::spec::{Change, Time, millis};

#[derive(Clone, Debug, Default)]
pub(super) struct Truth(Vec<(Change, Time)>);

impl Truth {
    /// Notes a change that the store has made.
    pub(super) fn note(&mut self, change: &Change, now: Time) {
        match change {
            Change::Delete => self.0.clear(),
            change => self.0.push((change.clone(), now)),
        }
    }

    /// What the topic must hold.
    pub(super) fn body(&self) -> Body {
        match self.0.first() {
            None => Body::Gone,
            Some((Change::Merge(_), _)) => Body::Document(Arc::new(self.document())),
            Some(_) => {
                Body::Number(self.value("").and_then(|value| value.whole_number()).unwrap_or_default())
            }
        }
    }

    /// Whether the life that the entity got last is over.
    pub(super) fn is_over(&self, now: Time) -> bool {
        let end = |(change, at): &(Change, Time)| match change {
            Change::Merge(merge) => merge.keep.map(|keep| at + millis(keep)),
            _ => None,
        };
        self.0.iter().rev().find_map(end).is_some_and(|end| end <= now)
    }

    fn document(&self) -> Document {
        let mut names = BTreeSet::new();
        for (change, _) in &self.0 {
            if let Change::Merge(merge) = change {
                names.extend(merge.fields.iter().map(|(name, _)| name));
            }
        }
        let field = |name: &str| Some((name.into(), self.value(name)?));
        Document::of(names.into_iter().filter_map(field).collect())
    }

    /// What a field was set to last, with all that was added since.
    fn value(&self, name: &str) -> Option<JsonText> {
        let mut added = None;
        for change in self.0.iter().rev().filter_map(|(change, _)| of_field(change, name)) {
            match (change, added) {
                (FieldChange::Add(number), _) => added = Some(number + added.unwrap_or_default()),
                (FieldChange::Set(value), None) => return Some(value),
                (FieldChange::Set(value), Some(added)) => {
                    return value.whole_number().map(|number| JsonText::number(number + added));
                }
                (FieldChange::Remove, _) => break,
            }
        }
        added.map(JsonText::number)
    }
}

/// What a change does to a field; the number of a counter counts as its only field.
fn of_field(change: &Change, name: &str) -> Option<FieldChange> {
    match change {
        Change::Add(amounts) => Some(FieldChange::Add(amounts.iter().sum())),
        Change::Set(value) => Some(FieldChange::Set(JsonText::number(*value))),
        Change::Merge(merge) => {
            merge.fields.iter().find(|(known, _)| *known == name).map(|(_, change)| change.clone())
        }
        Change::Delete => None,
    }
}
