//! What an entity holds.

use smol_str::SmolStr;

use super::amount::LIMIT;
use super::field_bounds::{MAX_BYTES, MAX_FIELDS, MAX_NAME};
use super::field_changes::{FieldChange, FieldChanges};
use super::json::JsonText;

/// The fields of an entity, in ascending order of the bytes of their names, each with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document(Vec<(SmolStr, JsonText)>);

/// Why changes do not fit an entity. Then none of them is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A number is to be added to a field whose value is no whole number within ±(2^53-1).
    #[error("the field {0:?} holds no whole number, so nothing can be added to it")]
    NotWhole(SmolStr),
    /// The sum is beyond ±(2^53-1).
    #[error("the field {0:?} would be beyond ±9007199254740991")]
    TooLarge(SmolStr),
    /// The entity would have more than [`Document::MAX_FIELDS`] fields.
    #[error("an entity has at most 256 fields, this one would have {0}")]
    TooManyFields(usize),
    /// The entity would have more than [`Document::MAX_BYTES`] bytes of names and values.
    #[error("an entity has at most 16384 bytes of names and values, this one would have {0}")]
    TooLong(usize),
}

impl Document {
    /// The greatest number of fields.
    pub const MAX_FIELDS: usize = MAX_FIELDS;
    /// The most bytes that all names and values may have together.
    pub const MAX_BYTES: usize = MAX_BYTES;
    /// The longest name of a field, in bytes.
    pub const MAX_NAME: usize = MAX_NAME;

    /// The document of these fields, whose names must differ.
    pub fn of(mut fields: Vec<(SmolStr, JsonText)>) -> Self {
        fields.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Document(fields)
    }

    /// The document that [`to_json`](Self::to_json) has written; `None` if the text is no JSON object.
    pub fn of_json(text: &str) -> Option<Self> {
        let members = JsonText::members(text.as_bytes()).ok()??;
        Some(Document::of(members.into_iter().map(|(name, value)| (name.into(), value)).collect()))
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&JsonText> {
        self.place(name).ok().map(|at| &self.0[at].1)
    }

    /// The fields with their values, in ascending order of their names' bytes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &JsonText)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes the names and values have together.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.as_str().len()).sum()
    }

    /// The document as a JSON object, without spaces or line ends.
    pub fn to_json(&self) -> String {
        // Each field has two quotation marks, a colon and a comma besides. A name that must be escaped makes the text grow once more.
        let mut json = String::with_capacity(self.bytes() + 4 * self.len() + 2);
        json.push('{');
        for (name, value) in self.iter() {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&serde_json::to_string(name).unwrap_or_default());
            json.push(':');
            json.push_str(value.as_str());
        }
        json.push('}');
        json
    }

    /// The document behind these changes, all of them or none.
    pub fn merged(&self, changes: &FieldChanges) -> Result<Document, MergeError> {
        let mut merged = self.clone();
        for (name, change) in changes.iter() {
            match (change, merged.place(name)) {
                (FieldChange::Remove, Ok(at)) => drop(merged.0.remove(at)),
                (FieldChange::Remove, Err(_)) => {}
                (FieldChange::Set(value), Ok(at)) => merged.0[at].1 = value.clone(),
                (FieldChange::Set(value), Err(at)) => merged.0.insert(at, (name.into(), value.clone())),
                (FieldChange::Add(number), Ok(at)) => {
                    merged.0[at].1 = JsonText::number(sum(name, &merged.0[at].1, *number)?);
                }
                (FieldChange::Add(number), Err(at)) => {
                    merged.0.insert(at, (name.into(), JsonText::number(*number)));
                }
            }
        }
        if merged.len() > Self::MAX_FIELDS {
            return Err(MergeError::TooManyFields(merged.len()));
        }
        match merged.bytes() {
            bytes if bytes > Self::MAX_BYTES => Err(MergeError::TooLong(bytes)),
            _ => Ok(merged),
        }
    }

    /// Where the field is, or where it would be inserted.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }
}

fn sum(name: &str, value: &JsonText, added: i64) -> Result<i64, MergeError> {
    let within = |number: &i64| (-LIMIT..=LIMIT).contains(number);
    let number = value.whole_number().filter(within).ok_or_else(|| MergeError::NotWhole(name.into()))?;
    Some(number + added).filter(within).ok_or_else(|| MergeError::TooLarge(name.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(payload: &str) -> FieldChanges {
        FieldChanges::parse(payload.as_bytes()).expect("a payload")
    }

    #[test]
    fn changes_add_set_and_remove_in_one_step() {
        let document = Document::default()
            .merged(&changes(r#"{"title":"x","+views":1,"b":{"c":[]}}"#))
            .and_then(|document| document.merged(&changes(r#"{"+views":41,"b":null,"gone":null,"\"q":2}"#)))
            .expect("a document");
        assert_eq!(document.to_json(), r#"{"\"q":2,"title":"x","views":42}"#);
        assert_eq!(document.get("views"), Some(&JsonText::number(42)));
        assert_eq!((document.get("b"), document.len(), document.bytes()), (None, 3, 2 + 1 + 5 + 3 + 5 + 2));
        let read = FieldChanges::parse(document.to_json().as_bytes()).expect("a payload");
        assert_eq!(Document::of_json(&document.to_json()), Some(document.clone()));
        assert_eq!(Document::default().merged(&read), Ok(document));
    }

    #[test]
    fn changes_that_do_not_fit_are_named() {
        let document = Document::default()
            .merged(&changes(r#"{"t":"1","f":1.0,"n":9007199254740991}"#))
            .expect("fields");
        let refused = |payload: &str| document.merged(&changes(payload)).expect_err(payload);
        assert_eq!(refused(r#"{"+t":1}"#), MergeError::NotWhole("t".into()));
        assert_eq!(refused(r#"{"new":1,"+f":1}"#), MergeError::NotWhole("f".into()));
        assert_eq!(refused(r#"{"+n":1}"#), MergeError::TooLarge("n".into()));
        let many: Vec<String> = (0..254).map(|field| format!("\"{field}\":1")).collect();
        assert_eq!(refused(&format!("{{{}}}", many.join(","))), MergeError::TooManyFields(257));
        let long = "x".repeat(16_300);
        assert!(document.merged(&changes(&format!("{{\"a\":\"{long}\"}}"))).is_ok());
        let fuller = document.merged(&changes(&format!("{{\"a\":\"{long}\"}}"))).expect("a document");
        let refused = fuller.merged(&changes(&format!("{{\"b\":\"{}\"}}", "y".repeat(100))));
        assert_eq!(refused, Err(MergeError::TooLong(fuller.bytes() + 103)));
    }
}
