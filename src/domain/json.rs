//! JSON values that are kept as text.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;
use smol_str::SmolStr;

/// A JSON value as compact text: without spaces or line ends between its parts, with its members in the order in which they came.
/// No object in it has two members of the same name, and every number in it is finite.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonText(SmolStr);

/// Why a text is no [`JsonText`]: what is wrong, and at which line and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseJsonError(String);

impl JsonText {
    /// The value that this text holds.
    pub fn parse(text: &[u8]) -> Result<Self, ParseJsonError> {
        let mut parser = serde_json::Deserializer::from_slice(text);
        let value = JsonText::deserialize_from(&mut parser);
        value.and_then(|value| parser.end().map(|()| value)).map_err(ParseJsonError::of)
    }

    /// The value of a text that a store has kept. The text is not looked at.
    pub fn of_stored(text: impl Into<SmolStr>) -> Self {
        JsonText(text.into())
    }

    /// The value `null`.
    pub fn null() -> Self {
        JsonText(SmolStr::new_static("null"))
    }

    /// A whole number.
    pub fn number(number: i64) -> Self {
        JsonText(smol_str::format_smolstr!("{number}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }

    /// The number, if the value is a whole number without a fraction and an exponent and fits.
    pub fn whole_number(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The members of the object that this text holds, in their order, with the names decoded. `None` if the text holds something other
    /// than an object.
    pub(super) fn members(text: &[u8]) -> Result<Option<Vec<(String, JsonText)>>, ParseJsonError> {
        if text.trim_ascii_start().first() != Some(&b'{') {
            return JsonText::parse(text).map(|_| None);
        }
        let mut parser = serde_json::Deserializer::from_slice(text);
        let members = parser.deserialize_map(MembersVisitor);
        members.and_then(|members| parser.end().map(|()| Some(members))).map_err(ParseJsonError::of)
    }

    fn deserialize_from<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = Vec::new();
        CompactWriter(&mut text).deserialize(deserializer)?;
        let text = std::str::from_utf8(&text).map_err(D::Error::custom)?;
        Ok(JsonText(text.into()))
    }
}

impl ParseJsonError {
    fn of(error: serde_json::Error) -> Self {
        ParseJsonError(error.to_string())
    }

    /// What is wrong, without the line and column, which mean nothing to a reader of a longer text that the JSON is a part of.
    pub fn reason(&self) -> &str {
        self.0.rsplit_once(" at line ").map_or(&self.0, |(reason, _)| reason)
    }
}

impl<'de> serde::Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        JsonText::deserialize_from(deserializer)
    }
}

impl fmt::Display for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads the members of an object.
struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(String, JsonText)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut names, mut members) = (Names::default(), Vec::new());
        while let Some(name) = map.next_key::<String>()? {
            names.add(&name)?;
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

/// The names that an object had so far. Most objects have few, which are compared faster than hashed.
#[derive(Default)]
struct Names {
    first: SmallVec<[SmolStr; FEW_NAMES]>,
    others: HashSet<SmolStr>,
}

/// How many names are compared one by one.
const FEW_NAMES: usize = 8;

impl Names {
    fn add<E: Error>(&mut self, name: &str) -> Result<(), E> {
        let is_known = self.first.iter().any(|known| known == name);
        let is_new = !is_known
            && match self.first.len() < FEW_NAMES {
                true => {
                    self.first.push(name.into());
                    true
                }
                false => self.others.insert(name.into()),
            };
        if is_new {
            return Ok(());
        }
        let shown: String = name.chars().take(40).collect();
        Err(E::custom(format_args!("the name {shown:?} comes twice in one object")))
    }
}

/// Writes the value that it reads as compact JSON.
struct CompactWriter<'a>(&'a mut Vec<u8>);

impl CompactWriter<'_> {
    fn scalar<E: Error>(self, value: impl serde::Serialize) -> Result<(), E> {
        serde_json::to_writer(self.0, &value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for CompactWriter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CompactWriter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if value.is_finite() { self.scalar(value) } else { Err(E::custom("the number is out of range")) }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        let mut written = self.0.len();
        while seq.next_element_seed(CompactWriter(self.0))?.is_some() {
            // The comma comes before an element is known to follow, and is taken back behind the last one.
            written = self.0.len();
            self.0.push(b',');
        }
        self.0.truncate(written);
        self.0.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        self.0.push(b'{');
        while let Some(name) = map.next_key::<String>()? {
            if !names.first.is_empty() {
                self.0.push(b',');
            }
            names.add(&name)?;
            serde_json::to_writer(&mut *self.0, &name).map_err(A::Error::custom)?;
            self.0.push(b':');
            map.next_value_seed(CompactWriter(self.0))?;
        }
        self.0.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_kept_compact_and_in_its_order() {
        for (text, expected) in [
            (" { \"b\" : [ 1 , 2 ] , \"a\" : { } } ", r#"{"b":[1,2],"a":{}}"#),
            ("[[],[[]],{}]", "[[],[[]],{}]"),
            ("null", "null"),
            ("1.50", "1.5"),
            ("1e2", "100.0"),
            ("18446744073709551615", "18446744073709551615"),
            (r#""\u00e9\n\u2028""#, "\"\u{e9}\\n\u{2028}\""),
            (r#"{"__proto__":{"x":1},"":0}"#, r#"{"__proto__":{"x":1},"":0}"#),
        ] {
            assert_eq!(JsonText::parse(text.as_bytes()).expect(text).as_str(), expected);
        }
    }

    #[test]
    fn what_no_reader_could_be_sure_of_is_refused() {
        let deep = ["[".repeat(200), "]".repeat(200)].concat();
        for (text, expected) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("1 2", "trailing characters at line 1 column 3"),
            ("1e400", "number out of range at line 1 column 5"),
            ("NaN", "expected value at line 1 column 1"),
            ("'a'", "expected value at line 1 column 1"),
            (r#""\ud800""#, "unexpected end of hex escape at line 1 column 8"),
            (r#"{"a":1,"a":2}"#, "the name \"a\" comes twice in one object at line 1 column 10"),
            (r#"[{"a":{"b":1,"b":1}}]"#, "the name \"b\" comes twice in one object at line 1 column 16"),
            (&deep, "recursion limit exceeded at line 1 column 128"),
        ] {
            assert_eq!(JsonText::parse(text.as_bytes()).expect_err(text).to_string(), expected);
        }
        assert!(JsonText::parse(b"\"\xff\"").is_err());
    }

    proptest! {
        #[test]
        fn what_was_kept_is_kept_the_same_again(text in "[\\[\\]{}\",:0-9a\\\\ ]{0,20}|\\PC{0,20}") {
            if let Ok(value) = JsonText::parse(text.as_bytes()) {
                prop_assert!(!value.as_str().contains(['\n', '\r']));
                prop_assert_eq!(JsonText::parse(value.as_str().as_bytes()), Ok(value));
            }
        }
    }
}
