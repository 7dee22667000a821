//! Chooses the entities that `find` answers.

use std::cmp::{Ordering, Reverse};

use serde_json::Value;
use smol_str::SmolStr;

use super::syntax::{Comparison, Condition, Find};
use crate::domain::{Document, EntityKey, JsonText};

/// The name by which conditions and `sort` can name the key of an entity that has no field of this name.
const KEY: &str = "key";

/// An entity with its key.
pub type Entity = (EntityKey, Document);

impl Find {
    /// Whether the entity fulfils all conditions.
    pub fn fits(&self, entity: &Entity) -> bool {
        self.conditions.iter().all(|condition| fits(condition, entity))
    }

    /// Puts the entities in the order that `sort` asks for. Entities with equal values stay in their order; those without the field come
    /// last.
    pub fn arrange(&self, entities: &mut [Entity]) {
        let Some((field, descending)) = &self.sort else { return };
        let key = |entity: &Entity| {
            let value = value(entity, field);
            (value.is_none(), SortKey(value))
        };
        if *descending {
            entities.sort_by_cached_key(|entity| {
                let (missing, value) = key(entity);
                (missing, Reverse(value))
            });
        } else {
            entities.sort_by_cached_key(key);
        }
    }

    /// The entity with only the fields that `pick` names, as far as it has them.
    pub fn picked(&self, (key, document): Entity) -> Entity {
        if self.pick.is_empty() {
            return (key, document);
        }
        let fields = document.iter().filter(|(name, _)| self.pick.iter().any(|picked| picked == name));
        let fields = fields.map(|(name, value)| (SmolStr::from(name), value.clone())).collect();
        (key, Document::of(fields))
    }

    /// The fields that must be known to answer; `None` for all.
    pub fn fields(&self) -> Option<Vec<SmolStr>> {
        if self.pick.is_empty() {
            return None;
        }
        let mut names: Vec<SmolStr> = self.pick.iter().map(SmolStr::from).collect();
        names.extend(self.conditions.iter().map(|condition| SmolStr::from(&condition.field)));
        names.extend(self.sort.iter().map(|(field, _)| SmolStr::from(field)));
        names.sort_unstable();
        names.dedup();
        Some(names)
    }
}

/// The value of a field; `None` if there is no such field.
fn value((key, document): &Entity, field: &str) -> Option<Value> {
    match document.get(field) {
        Some(text) => parsed(text),
        None if field == KEY => Some(Value::from(key.as_str())),
        None => None,
    }
}

fn parsed(text: &JsonText) -> Option<Value> {
    serde_json::from_str(text.as_str()).ok()
}

fn fits(condition: &Condition, entity: &Entity) -> bool {
    // A field that is missing equals `null`, and nothing else.
    let found = value(entity, &condition.field).unwrap_or(Value::Null);
    let wanted = parsed(&condition.value).unwrap_or(Value::Null);
    let order = compare(&found, &wanted);
    match condition.comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// The order of two values of the same kind: numbers by their size, texts by their bytes. Other values are equal, or have no order.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => (left == right).then_some(Ordering::Equal),
    }
}

/// A value by which entities are sorted: numbers come before texts, and texts before all other values.
struct SortKey(Option<Value>);

impl SortKey {
    fn rank(&self) -> u8 {
        match self.0 {
            Some(Value::Number(_)) => 0,
            Some(Value::String(_)) => 1,
            _ => 2,
        }
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let of_one_kind = match (&self.0, &other.0) {
            (Some(left), Some(right)) => compare(left, right),
            _ => None,
        };
        self.rank().cmp(&other.rank()).then(of_one_kind.unwrap_or(Ordering::Equal))
    }
}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SortKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for SortKey {}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::super::syntax::Action;
    use super::*;
    use crate::domain::FieldChanges;

    fn find(text: &str) -> Find {
        match parse(text).expect(text).remove(0).action {
            Action::Find(find) => find,
            other => panic!("{other:?}"),
        }
    }

    fn entity(key: &str, payload: &str) -> Entity {
        let changes = FieldChanges::parse(payload.as_bytes()).expect("a payload");
        (key.parse().expect("a key"), Document::default().merged(&changes).expect("a document"))
    }

    fn entities() -> Vec<Entity> {
        vec![
            entity("a", r#"{"n":2,"s":"x","t":true}"#),
            entity("b", r#"{"n":10,"s":"y"}"#),
            entity("c", r#"{"n":1.5,"s":"ä"}"#),
            entity("d", r#"{"s":5}"#),
            entity("e", r#"{"n":"2","key":"own"}"#),
        ]
    }

    fn keys(text: &str) -> String {
        let find = find(text);
        let mut found: Vec<Entity> = entities().into_iter().filter(|entity| find.fits(entity)).collect();
        find.arrange(&mut found);
        found.iter().map(|(key, _)| key.as_str()).collect()
    }

    #[test]
    fn conditions_compare_values_of_one_kind() {
        for (text, expected) in [
            ("find r", "abcde"),
            ("find r where n = 2", "a"),
            ("find r where n = 2.0", "a"),
            ("find r where n = \"2\"", "e"),
            ("find r where n != 2", "bcde"),
            ("find r where n > 1.5", "ab"),
            ("find r where n >= 1.5 and n < 10", "ac"),
            ("find r where n <= 9007199254740991", "abc"),
            ("find r where s < \"y\"", "a"),
            ("find r where t = true", "a"),
            ("find r where t = null", "bcde"),
            ("find r where n != null", "abce"),
            ("find r where key >= \"b\" and key < \"d\"", "bc"),
            ("find r where key = \"own\"", "e"),
            ("find r where t > false", ""),
        ] {
            assert_eq!(keys(text), expected, "{text}");
        }
    }

    #[test]
    fn entities_are_sorted_numbers_first_and_missing_fields_last() {
        assert_eq!(keys("find r then sort n"), "cabed");
        assert_eq!(keys("find r then sort n desc"), "ebacd");
        assert_eq!(keys("find r then sort s"), "dabce");
        assert_eq!(keys("find r then sort key desc"), "edcba");
        assert_eq!(keys("find r then sort nothing desc"), "abcde");
    }

    #[test]
    fn only_picked_fields_are_answered_and_asked_for() {
        let some = find("find r where t = true then pick n, missing then sort s");
        let (key, document) = some.picked(entities().remove(0));
        assert_eq!((key.as_str(), document.to_json().as_str()), ("a", r#"{"n":2}"#));
        assert_eq!(some.fields(), Some(["missing", "n", "s", "t"].map(SmolStr::from).to_vec()));
        assert_eq!(find("find r where t = true").fields(), None);
    }
}
