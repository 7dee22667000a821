//! A table of a statement with its rows, as the source has read them.

use std::collections::HashMap;

use super::cell::Cell;
use super::error::SqlError;
use super::wanted::{Fields, WantedTable, is_own};

/// The most rows that a statement reads of a table.
pub const MOST_ENTITIES: usize = 20_000;
/// The most memory that what a statement reads of all its tables may take, in bytes.
pub const MOST_BYTES: usize = 32 * 1024 * 1024;
/// The most columns for fields. An entity has at most as many fields, but all entities together may have more.
pub(super) const MOST_FIELDS: usize = 256;
/// What a row takes beside its values.
const ROW_BYTES: usize = 64;
/// What a value takes beside its text.
const VALUE_BYTES: usize = size_of::<(usize, Cell)>();

/// See the top of the module.
#[derive(Debug)]
pub struct Table {
    wanted: WantedTable,
    fields: Vec<String>,
    places: HashMap<String, usize>,
    /// The first field that is left out because no column can have its name.
    unnamable: Option<String>,
    rows: Vec<Row>,
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) payload: Option<String>,
    /// The values, each with the number of its field.
    pub(super) values: Vec<(usize, Cell)>,
}

impl Table {
    /// A table without rows.
    pub fn new(wanted: &WantedTable) -> Self {
        Table {
            wanted: wanted.clone(),
            fields: Vec::new(),
            places: HashMap::new(),
            unnamable: None,
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds an entity: its fields with their values as JSON, those that the statement does not need may be left out. An error if
    /// the table becomes too large.
    pub fn push<'a>(
        &mut self,
        key: &str,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), SqlError> {
        let mut row =
            Row { key: key.to_owned(), payload: self.wanted.payload.then(String::new), values: Vec::new() };
        self.bytes += ROW_BYTES + key.len();
        for (name, json) in fields {
            if let Some(payload) = &mut row.payload {
                payload.push(if payload.is_empty() { '{' } else { ',' });
                payload.push_str(&serde_json::Value::from(name).to_string());
                payload.push(':');
                payload.push_str(json);
            }
            if let Some(place) = self.place(name)? {
                let value = Cell::of_json(json);
                self.bytes += VALUE_BYTES + value.size();
                row.values.push((place, value));
            }
        }
        if let Some(payload) = &mut row.payload {
            payload.push_str(if payload.is_empty() { "{}" } else { "}" });
            self.bytes += payload.len();
        }
        self.rows.push(row);
        if self.rows.len() > MOST_ENTITIES || self.bytes > MOST_BYTES {
            return Err(self.too_large());
        }
        Ok(())
    }

    /// The error about a table that is larger than a statement may read.
    pub fn too_large(&self) -> SqlError {
        SqlError::TooMuch(format!(
            "the statement would read more than {MOST_ENTITIES} entities of {:?}, or more than {} MiB in all; bound key \
             (WHERE key >= …), or name fewer fields",
            self.wanted.name,
            MOST_BYTES >> 20
        ))
    }

    /// About how much memory the rows take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The column of a field; `None` if the statement does not need the field.
    fn place(&mut self, field: &str) -> Result<Option<usize>, SqlError> {
        if let Some(place) = self.places.get(field) {
            return Ok(Some(*place));
        }
        let is_wanted = match &self.wanted.fields {
            // Every table has columns of its own, and SQLite reads a name up to its first NUL.
            Fields::All if is_own(field) || field.contains('\0') => {
                self.unnamable.get_or_insert_with(|| field.to_owned());
                false
            }
            Fields::All => true,
            Fields::Named(names) => names.contains(field),
        };
        if !is_wanted {
            return Ok(None);
        }
        if self.fields.len() == MOST_FIELDS {
            return Err(SqlError::TooMuch(format!(
                "the entities of {:?} have more than {MOST_FIELDS} different fields; name those you need in place of *, or \
                 read payload",
                self.wanted.name
            )));
        }
        let place = self.fields.len();
        self.fields.push(field.to_owned());
        self.places.insert(field.to_owned(), place);
        Ok(Some(place))
    }

    /// What the statement needs of the table.
    pub(super) fn wanted(&self) -> &WantedTable {
        &self.wanted
    }

    /// The fields that some entity has, in the order of the numbers in the rows.
    pub(super) fn fields(&self) -> &[String] {
        &self.fields
    }

    /// A field that `SELECT *` leaves out because no column can have its name.
    pub(super) fn unnamable(&self) -> Option<&str> {
        self.unnamable.as_deref()
    }

    /// Whether the table has a column for this field.
    pub(super) fn has(&self, field: &str) -> bool {
        self.places.contains_key(field)
    }

    /// Adds a column in which no row has a value.
    pub(super) fn add_empty(&mut self, field: &str) {
        if !self.has(field) {
            self.places.insert(field.to_owned(), self.fields.len());
            self.fields.push(field.to_owned());
        }
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }
}
