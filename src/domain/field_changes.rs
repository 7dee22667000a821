//! What a payload changes of an entity.

use smol_str::SmolStr;

use super::amount::LIMIT;
use super::field_bounds::{MAX_BYTES, MAX_FIELDS, MAX_NAME};
use super::json::{JsonText, ParseJsonError};

/// What is done to one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldChange {
    /// Adds a whole number within ±(2^53-1), which may be 0. A field that is missing counts from 0.
    Add(i64),
    /// Sets the field to this value, which is not `null`.
    Set(JsonText),
    /// Removes the field.
    Remove,
}

/// What one payload changes: different fields, at most [`Document::MAX_FIELDS`](super::Document::MAX_FIELDS) of them, in the order of the payload. It may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldChanges(Vec<(SmolStr, FieldChange)>);

/// Why a text is no payload of an entity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseFieldChangesError {
    /// The text is not JSON.
    #[error("the payload is no JSON: {0}")]
    Json(#[from] ParseJsonError),
    /// The text is JSON, and no object.
    #[error("the payload of an entity must be a JSON object such as {{\"+views\":1}}")]
    NoObject,
    /// A field without a name.
    #[error("a field has an empty name")]
    EmptyName,
    /// A name of more than [`Document::MAX_NAME`](super::Document::MAX_NAME) bytes.
    #[error("the name of a field has at most 256 bytes, {shown:?}... has {length}")]
    LongName {
        /// The beginning of the name.
        shown: String,
        /// The length in bytes.
        length: usize,
    },
    /// A name with a plus sign behind the one that means adding.
    #[error("the name of a field must not begin with +, as {0:?} does behind the + that means adding")]
    PlusName(String),
    /// The same field is added to and set.
    #[error("the field {0:?} is changed twice")]
    Twice(String),
    /// What is to be added is not a whole number.
    #[error("the field {0:?} must be a whole number in plain digits, since its + means adding")]
    NotWhole(String),
    /// What is to be added is too large.
    #[error("the field {0:?} must be within ±9007199254740991")]
    TooLarge(String),
    /// More than [`Document::MAX_FIELDS`](super::Document::MAX_FIELDS) fields.
    #[error("a payload has at most 256 fields, this one has {0}")]
    TooMany(usize),
    /// More than [`Document::MAX_BYTES`](super::Document::MAX_BYTES) bytes of names and values.
    #[error("an entity has at most 16384 bytes of names and values, this payload sets {0}")]
    TooLong(usize),
}

/// How many characters of a name an error shows.
const SHOWN: usize = 40;

fn shown(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}

impl FieldChanges {
    /// The changes of a payload: `+name` adds to the field `name`, `null` removes a field, every other value sets it.
    pub fn parse(payload: &[u8]) -> Result<Self, ParseFieldChangesError> {
        use ParseFieldChangesError as Error;
        let members = JsonText::members(payload)?.ok_or(Error::NoObject)?;
        FieldChanges::of_members(members)
    }

    /// The changes of these fields, whose names and values mean what they mean in a payload.
    pub fn of_members(members: Vec<(String, JsonText)>) -> Result<Self, ParseFieldChangesError> {
        use ParseFieldChangesError as Error;
        if members.len() > MAX_FIELDS {
            return Err(Error::TooMany(members.len()));
        }
        let mut changes: Vec<(SmolStr, FieldChange)> = Vec::with_capacity(members.len());
        let (mut set_bytes, mut adds) = (0, 0);
        for (name, value) in members {
            let (name, change) = change_of(&name, value)?;
            match &change {
                FieldChange::Set(value) => set_bytes += name.len() + value.as_str().len(),
                FieldChange::Add(_) => adds += 1,
                FieldChange::Remove => {}
            }
            changes.push((name, change));
        }
        if set_bytes > MAX_BYTES {
            return Err(Error::TooLong(set_bytes));
        }
        // Names differ in a payload. Only where some of them had a plus sign in front can two changes be of one field.
        if adds > 0 {
            let mut names: Vec<&str> = changes.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(Error::Twice(shown(pair[0])));
            }
        }
        Ok(FieldChanges(changes))
    }

    /// The fields with what is done to them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &FieldChange)> {
        self.0.iter().map(|(name, change)| (name.as_str(), change))
    }

    /// How many fields change.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no field changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn change_of(name: &str, value: JsonText) -> Result<(SmolStr, FieldChange), ParseFieldChangesError> {
    use ParseFieldChangesError as Error;
    let added = name.strip_prefix('+');
    let field = added.unwrap_or(name);
    if field.is_empty() {
        return Err(Error::EmptyName);
    }
    if field.starts_with('+') {
        return Err(Error::PlusName(shown(name)));
    }
    if field.len() > MAX_NAME {
        return Err(Error::LongName { shown: shown(field), length: field.len() });
    }
    let change = match added {
        Some(_) => match value.whole_number() {
            Some(number) if (-LIMIT..=LIMIT).contains(&number) => FieldChange::Add(number),
            Some(_) => return Err(Error::TooLarge(shown(name))),
            None if is_digits(value.as_str()) => return Err(Error::TooLarge(shown(name))),
            None => return Err(Error::NotWhole(shown(name))),
        },
        None if value.is_null() => FieldChange::Remove,
        None => FieldChange::Set(value),
    };
    Ok((field.into(), change))
}

/// Whether the text is a whole number, however large.
fn is_digits(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_payload_adds_sets_and_removes() {
        let text =
            br#"{"+views":2,"title":"x","old":null,"+ zero":0,"POST /drop":{"a":[1]},"__proto__":1,"a+":3}"#;
        let changes = FieldChanges::parse(text).expect("a payload");
        let set = |text: &str| FieldChange::Set(JsonText::of_stored(text));
        let expected = [
            ("views", FieldChange::Add(2)),
            ("title", set("\"x\"")),
            ("old", FieldChange::Remove),
            (" zero", FieldChange::Add(0)),
            ("POST /drop", set("{\"a\":[1]}")),
            ("__proto__", set("1")),
            ("a+", set("3")),
        ];
        assert_eq!(changes.iter().collect::<Vec<_>>(), expected.each_ref().map(|(name, c)| (*name, c)));
        assert!(FieldChanges::parse(b"{}").expect("a payload").is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_payload_is_named() {
        use ParseFieldChangesError as Error;
        let name = |text: &str| text.to_owned();
        let long = format!("{{\"{}\":1}}", "n".repeat(257));
        let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(16_382));
        let many: Vec<String> = (0..257).map(|field| format!("\"{field}\":1")).collect();
        let many = format!("{{{}}}", many.join(","));
        for (text, expected) in [
            ("[1]", Error::NoObject),
            ("1", Error::NoObject),
            ("null", Error::NoObject),
            (r#"{"":1}"#, Error::EmptyName),
            (r#"{"+":1}"#, Error::EmptyName),
            (r#"{"++a":1}"#, Error::PlusName(name("++a"))),
            (r#"{"+a":1.5}"#, Error::NotWhole(name("+a"))),
            (r#"{"+a":1.0}"#, Error::NotWhole(name("+a"))),
            (r#"{"+a":1e2}"#, Error::NotWhole(name("+a"))),
            (r#"{"+a":"1"}"#, Error::NotWhole(name("+a"))),
            (r#"{"+a":null}"#, Error::NotWhole(name("+a"))),
            (r#"{"+a":[1]}"#, Error::NotWhole(name("+a"))),
            (r#"{"+a":9007199254740992}"#, Error::TooLarge(name("+a"))),
            (r#"{"+a":18446744073709551615}"#, Error::TooLarge(name("+a"))),
            (r#"{"+a":1,"a":2}"#, Error::Twice(name("a"))),
            (&long, Error::LongName { shown: "n".repeat(40), length: 257 }),
            (&huge, Error::TooLong(16_385)),
            (&many, Error::TooMany(257)),
        ] {
            assert_eq!(FieldChanges::parse(text.as_bytes()), Err(expected), "{text}");
        }
        for text in [r#"{"a":1e400}"#, r#"{"a":1,"a":1}"#, r#"{"\ud800":1}"#, "{\"a\":1} x", "{", ""] {
            assert!(matches!(FieldChanges::parse(text.as_bytes()), Err(Error::Json(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\{\"[+a]{0,3}\":[0-9.e\"-]{0,4}\\}|\\PC{0,30}") {
            let _ = FieldChanges::parse(text.as_bytes());
        }
    }
}
