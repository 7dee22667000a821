//! Combines merges of one entity: what several merges do together, one after the other.

use std::collections::HashSet;

use super::combined::{Combination, combine};
use crate::domain::{FieldChange, FieldChanges, LIMIT, Topic};

/// With more fields, a merge combines with no other: the fields of merges that combine are compared one by one.
const MOST_FIELDS: usize = 16;

/// The changes of one merge or of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CombinedMerge<'a> {
    fields: Vec<(&'a str, FieldChange)>,
    may_create: bool,
}

impl<'a> CombinedMerge<'a> {
    /// One merge.
    pub(super) fn of(fields: &'a FieldChanges, may_create: bool) -> Self {
        let fields = fields.iter().map(|(name, change)| (name, change.clone())).collect();
        CombinedMerge { fields, may_create }
    }

    /// How many fields change.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The fields with what is done to them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &FieldChange)> {
        self.fields.iter().map(|(name, change)| (*name, change))
    }

    /// Combines the merges of these topics. The second part is `None` where a change stays alone; what is `None` combines with nothing.
    ///
    /// Only the last changes of a topic are combined: if they are refused together, they can be applied one by one without changing places with others.
    pub(super) fn combine(
        topics: &[&Topic],
        mut merges: Vec<Option<Self>>,
    ) -> Vec<(Combination, Option<Self>)> {
        let joins = |first: usize, next: usize| {
            let Some(mut merge) = merges[next].take() else { return false };
            let has_joined = merges[first].as_mut().is_some_and(|first| first.join(&mut merge));
            if !has_joined {
                merges[next] = Some(merge);
            }
            has_joined
        };
        let combined = combine(topics.iter().copied(), joins);
        let changes_of = |indices: Combination| {
            let changes = merges[indices[0]].take().filter(|_| indices.len() > 1);
            (indices, changes)
        };
        last_combined(topics, combined).into_iter().map(changes_of).collect()
    }

    /// Adds the changes of the merge that comes next, unless both do not combine: an entity that takes the combination must take each of the merges.
    fn join(&mut self, next: &mut Self) -> bool {
        if self.may_create != next.may_create || self.len() + next.len() > MOST_FIELDS {
            return false;
        }
        let place = |name: &str| self.fields.iter().position(|(known, _)| *known == name);
        let mut joined = Vec::with_capacity(next.len());
        for (name, change) in &next.fields {
            let place = place(name);
            let change = match place {
                Some(place) => together(&self.fields[place].1, change),
                None => Some(change.clone()).filter(|change| *change != FieldChange::Remove),
            };
            let Some(change) = change else { return false };
            joined.push((place, *name, change));
        }
        for (place, name, change) in joined {
            match place {
                Some(place) => self.fields[place].1 = change,
                None => self.fields.push((name, change)),
            }
        }
        true
    }
}

/// Takes apart all combinations but the last one of each topic.
fn last_combined(topics: &[&Topic], combined: Vec<Combination>) -> Vec<Combination> {
    if combined.iter().all(|indices| indices.len() == 1) {
        return combined;
    }
    let mut later = HashSet::with_capacity(combined.len());
    let mut apart = Vec::with_capacity(combined.len());
    for indices in combined.into_iter().rev() {
        match later.insert(topics[indices[0]]) {
            true => apart.push(indices),
            false => apart.extend(indices.into_iter().rev().map(|index| Combination::from_buf([index]))),
        }
    }
    apart.reverse();
    apart
}

/// What two changes of one field do together. They combine only if no state between them can be out of bounds while the one behind them is not: what is added
/// has one sign, and what is set has one length.
fn together(first: &FieldChange, next: &FieldChange) -> Option<FieldChange> {
    match (first, next) {
        (FieldChange::Add(first), FieldChange::Add(next)) => {
            let sum = first + next;
            let have_one_sign = (*first >= 0) == (*next >= 0);
            (have_one_sign && (-LIMIT..=LIMIT).contains(&sum)).then_some(FieldChange::Add(sum))
        }
        (FieldChange::Set(first), FieldChange::Set(next)) => {
            (first.as_str().len() == next.as_str().len()).then(|| FieldChange::Set(next.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combined(payloads: &[&str]) -> Vec<(Vec<usize>, Option<String>)> {
        let fields = |payload: &&str| FieldChanges::parse(payload.as_bytes()).expect("a payload");
        let fields: Vec<_> = payloads.iter().map(fields).collect();
        let topic: Topic = "entity-a/b".parse().expect("a topic");
        let merges = fields.iter().map(|fields| Some(CombinedMerge::of(fields, true))).collect();
        let shown = |merge: CombinedMerge<'_>| {
            let field = |(name, change): (&str, &FieldChange)| match change {
                FieldChange::Add(number) => format!("{name}+{number}"),
                FieldChange::Set(value) => format!("{name}={value}"),
                FieldChange::Remove => format!("{name}-"),
            };
            merge.iter().map(field).collect::<Vec<_>>().join(" ")
        };
        let all = CombinedMerge::combine(&vec![&topic; payloads.len()], merges);
        all.into_iter().map(|(indices, merge)| (indices.to_vec(), merge.map(shown))).collect()
    }

    #[test]
    fn merges_that_add_to_the_same_and_to_other_fields_are_one() {
        let payloads = [r#"{"+a":1,"t":"xy"}"#, r#"{"+a":2,"+b":-5}"#, r#"{"+b":-1,"t":"yz"}"#, "{}"];
        let together = r#"a+3 t="yz" b+-6"#.to_owned();
        assert_eq!(combined(&payloads), [(vec![0, 1, 2, 3], Some(together))]);
        assert_eq!(combined(&payloads[..1]), [(vec![0], None)]);
    }

    #[test]
    fn merges_between_which_a_bound_could_be_passed_stay_apart() {
        for pair in [
            [r#"{"+a":9007199254740991}"#, r#"{"+a":1}"#],
            [r#"{"+a":1}"#, r#"{"+a":-1}"#],
            [r#"{"+a":1}"#, r#"{"a":1}"#],
            [r#"{"a":1}"#, r#"{"+a":1}"#],
            [r#"{"a":"long"}"#, r#"{"a":"l"}"#],
            [r#"{"a":1}"#, r#"{"a":null}"#],
            [r#"{"a":null}"#, r#"{"+a":1}"#],
            [r#"{"+a":1}"#, r#"{"b":null}"#],
        ] {
            assert_eq!(combined(&pair), [(vec![0], None), (vec![1], None)], "{pair:?}");
        }
    }

    #[test]
    fn only_the_last_merges_of_an_entity_are_one() {
        let add = r#"{"+a":1}"#;
        let last = (vec![3, 4], Some("a+2".to_owned()));
        let expected = [(vec![0], None), (vec![1], None), (vec![2], None), last];
        assert_eq!(combined(&[add, add, r#"{"a":1}"#, add, add]), expected);
    }
}
