//! One value of a row.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// One value of a row, or of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value: the entity does not have the field.
    Null,
    /// A whole number.
    Integer(i64),
    /// Another number.
    Real(f64),
    /// A text; also a list or an object, as JSON.
    Text(String),
}

impl Cell {
    /// The value of a field that is kept as JSON. `true` and `false` are 1 and 0.
    pub(super) fn of_json(json: &str) -> Cell {
        match json.as_bytes().first() {
            Some(b'{' | b'[') => Cell::Text(json.to_owned()),
            Some(b'-' | b'0'..=b'9') => match json.parse() {
                Ok(number) => Cell::Integer(number),
                Err(_) => json.parse().map_or(Cell::Null, Cell::Real),
            },
            _ => serde_json::from_str(json).map_or(Cell::Null, |value| Cell::of_value(&value)),
        }
    }

    pub(super) fn of_value(value: &Value) -> Cell {
        match value {
            Value::Null => Cell::Null,
            Value::Bool(truth) => Cell::Integer(i64::from(*truth)),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Cell::Integer(whole),
                (None, Some(real)) => Cell::Real(real),
                (None, None) => Cell::Null,
            },
            Value::String(text) => Cell::Text(text.clone()),
            list_or_object => Cell::Text(list_or_object.to_string()),
        }
    }

    /// What SQLite answers. Bytes are answered as hexadecimal digits.
    pub(super) fn of_sqlite(value: ValueRef<'_>) -> Cell {
        match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Integer(number),
            ValueRef::Real(number) => Cell::Real(number),
            ValueRef::Text(bytes) => Cell::Text(String::from_utf8_lossy(bytes).into_owned()),
            ValueRef::Blob(bytes) => Cell::Text(bytes.iter().map(|byte| format!("{byte:02X}")).collect()),
        }
    }

    /// About how many bytes the value takes, in memory and in an answer.
    pub(super) fn size(&self) -> usize {
        match self {
            Cell::Null | Cell::Integer(_) | Cell::Real(_) => 8,
            Cell::Text(text) => 8 + text.len(),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Null => serializer.serialize_unit(),
            Cell::Integer(number) => serializer.serialize_i64(*number),
            // JSON has no number for infinity: serde_json writes null.
            Cell::Real(number) => serializer.serialize_f64(*number),
            Cell::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Integer(number) => ValueRef::Integer(*number),
            Cell::Real(number) => ValueRef::Real(*number),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_json_has_its_value() {
        for (json, expected) in [
            ("1", Cell::Integer(1)),
            ("-9007199254740991", Cell::Integer(-9_007_199_254_740_991)),
            ("1.5", Cell::Real(1.5)),
            ("1e2", Cell::Real(100.0)),
            ("18446744073709551615", Cell::Real(18_446_744_073_709_551_615.0)),
            ("true", Cell::Integer(1)),
            ("false", Cell::Integer(0)),
            ("null", Cell::Null),
            ("\"a\\u00e9\"", Cell::Text("aé".to_owned())),
            ("[1, 2]", Cell::Text("[1, 2]".to_owned())),
            ("{\"a\":1}", Cell::Text("{\"a\":1}".to_owned())),
            ("", Cell::Null),
            ("\"open", Cell::Null),
        ] {
            assert_eq!(Cell::of_json(json), expected, "{json}");
        }
    }
}
