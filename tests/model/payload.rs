//! What is merged into an entity: two fields are changed in one step, and the entity may get a life.

use std::time::Duration;

use livecounter::domain::FieldChanges;
use livecounter::store::Merge;
use proptest::prelude::*;

use crate::spec::Time;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload {
    n: Field,
    t: Field,
    life: Option<Time>,
}

/// What a payload does to a field.
#[derive(Clone, Copy, Debug)]
enum Field {
    Stays,
    Add(i64),
    Set(i64),
    /// Sets the field to a text, to which nothing can be added.
    Text,
    Remove,
}

/// Payloads with these numbers, and with these lives in milliseconds.
pub(crate) fn payload(
    number: impl Strategy<Value = i64> + Clone,
    life: impl Strategy<Value = Time>,
) -> impl Strategy<Value = Payload> {
    let field = prop_oneof![
        2 => Just(Field::Stays),
        6 => number.clone().prop_map(Field::Add),
        2 => number.prop_map(Field::Set),
        1 => Just(Field::Text),
        1 => Just(Field::Remove),
    ];
    (field.clone(), field, prop::option::weighted(0.3, life)).prop_map(|(n, t, life)| Payload { n, t, life })
}

impl Payload {
    /// Adds to one of the fields.
    pub(crate) fn addition(amount: i64) -> Self {
        Payload { n: Field::Add(amount), t: Field::Stays, life: None }
    }

    /// The payload as a store gets it.
    pub(crate) fn merge(self) -> Merge {
        let member = |(name, field)| match field {
            Field::Stays => None,
            Field::Add(number) => Some(format!(r#""+{name}":{number}"#)),
            Field::Set(number) => Some(format!(r#""{name}":{number}"#)),
            Field::Text => Some(format!(r#""{name}":"text""#)),
            Field::Remove => Some(format!(r#""{name}":null"#)),
        };
        let members: Vec<String> = [("n", self.n), ("t", self.t)].into_iter().filter_map(member).collect();
        let text = format!("{{{}}}", members.join(","));
        let fields = FieldChanges::parse(text.as_bytes()).expect("a payload");
        Merge { fields, keep: self.life.map(Duration::from_millis) }
    }
}
