//! What a statement needs of a table.

use std::collections::BTreeSet;
use std::ops::Bound;

/// The columns that every table has beside the fields: the key of the entity, and the entity as JSON.
pub(super) const KEY: &str = "key";
pub(super) const PAYLOAD: &str = "payload";

/// Whether the column is one that every table has.
pub(super) fn is_own(column: &str) -> bool {
    [KEY, PAYLOAD].iter().any(|own| own.eq_ignore_ascii_case(column))
}

/// The fields that a statement needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fields {
    /// All fields, as for `SELECT *`.
    All,
    /// The fields of these names.
    Named(BTreeSet<String>),
}

impl Fields {
    /// Whether the statement needs this field.
    pub fn includes(&self, field: &str) -> bool {
        match self {
            Fields::All => true,
            Fields::Named(names) => names.contains(field),
        }
    }
}

/// The keys that a statement can need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The least key.
    pub low: Bound<String>,
    /// The greatest key.
    pub high: Bound<String>,
    /// Whether the greatest keys come first.
    pub descending: bool,
    /// How many rows suffice; `None` for all rows in the range.
    pub rows: Option<usize>,
}

impl KeyRange {
    /// All keys.
    pub const ALL: KeyRange =
        KeyRange { low: Bound::Unbounded, high: Bound::Unbounded, descending: false, rows: None };

    /// Whether the key is within the bounds.
    pub fn contains(&self, key: &str) -> bool {
        let above = match &self.low {
            Bound::Included(low) => key >= low.as_str(),
            Bound::Excluded(low) => key > low.as_str(),
            Bound::Unbounded => true,
        };
        let below = match &self.high {
            Bound::Included(high) => key <= high.as_str(),
            Bound::Excluded(high) => key < high.as_str(),
            Bound::Unbounded => true,
        };
        above && below
    }
}

/// What a statement needs of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedTable {
    /// The name of the table: a route.
    pub name: String,
    /// The fields that the statement needs.
    pub fields: Fields,
    /// Whether the statement needs each entity as JSON.
    pub payload: bool,
    /// The keys that the statement needs.
    pub keys: KeyRange,
}
