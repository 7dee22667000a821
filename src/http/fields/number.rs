//! The number in a field of an entity.

use crate::domain::{Document, LIMIT};

/// The number in a field. It is 0 if there is no such field or no such entity, as adding to it begins there; `None` if the field has something
/// other than a whole number within ±(2^53-1).
pub(super) fn number_of(document: Option<&Document>, field: &str) -> Option<i64> {
    match document.and_then(|document| document.get(field)) {
        Some(value) => value.whole_number().filter(is_within),
        None => Some(0),
    }
}

/// Whether the number can be shown.
pub(super) fn is_within(number: &i64) -> bool {
    (-LIMIT..=LIMIT).contains(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_0_and_what_is_no_whole_number_is_unknown() {
        let document = Document::of_json(r#"{"n":42,"t":"42","f":1.5,"big":9007199254740992,"":7}"#);
        let number = |field| number_of(document.as_ref(), field);
        assert_eq!(
            ["n", "none", "t", "f", "big", ""].map(number),
            [Some(42), Some(0), None, None, None, Some(7)]
        );
        assert_eq!(number_of(None, "n"), Some(0));
    }
}
