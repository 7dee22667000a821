//! One of the topics is an entity. To the specification it is a number like the others: the field `n`. Each merge also adds 1 to the field `merges`, so that
//! a part of a merge is seen.

use livecounter::domain::LIMIT;
use livecounter::store::Body;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::TOPICS;
use crate::spec::{Change, Topic};

pub(super) fn is_entity(topic: usize) -> bool {
    topic == TOPICS - 1
}

/// The change as an entity can be changed: by one amount, and to any number that can be added to.
pub(super) fn allowed(change: Change) -> Change {
    match change {
        Change::Add(amounts) => Change::Add(amounts[..1].to_vec()),
        Change::Set(value) => Change::Set(value.min(LIMIT)),
        change => change,
    }
}

/// The payload of a merge; `None` for a deletion, and for a topic that is no entity.
pub(super) fn payload(topic: usize, change: &Change) -> Option<String> {
    match change {
        Change::Add(amounts) if is_entity(topic) => Some(format!(r#"{{"+n":{},"+merges":1}}"#, amounts[0])),
        Change::Set(value) if is_entity(topic) => Some(format!(r#"{{"n":{value},"+merges":1}}"#)),
        _ => None,
    }
}

/// What a store has answered, as the specification says it. `merges` is how often the entity was changed since it was created, if the answer is of its
/// present state.
pub(super) fn as_number(body: Body, merges: Option<u64>) -> Result<Body, TestCaseError> {
    let Body::Document(document) = &body else { return Ok(body) };
    let field = |name: &str| document.get(name).and_then(|value| value.whole_number());
    let (Some(number), Some(counted)) = (field("n"), field("merges")) else {
        return Err(TestCaseError::fail(format!("{} is a part", document.to_json())));
    };
    prop_assert_eq!(document.len(), 2);
    if let Some(merges) = merges {
        prop_assert_eq!(counted as u64, merges, "{}", document.to_json());
    }
    Ok(Body::Number(number))
}

/// How often the entity was changed since it was created.
pub(super) fn merges(topic: &Topic) -> u64 {
    topic.revision - topic.created_behind
}
