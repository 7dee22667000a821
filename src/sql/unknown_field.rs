//! Columns that no row has: a field that other entities have, a table that does not exist, or a mistake.

use super::discovery::Plan;
use super::error::SqlError;
use super::table::Table;
use super::wanted::{KEY, PAYLOAD};
use crate::nearest::nearest;

/// An error names all fields if there are at most this many.
const MOST_NAMED: usize = 12;

/// Adds the columns that the statement needs to the table with this number. `known` are all fields of the table.
pub(super) fn add_columns(plan: &Plan, tables: &mut [Table], at: usize, known: &[String]) {
    let exists = !known.is_empty() || !tables[at].rows().is_empty();
    for field in plan.fields() {
        let is_elsewhere = tables.iter().any(|table| table.has(field));
        let is_added = if exists {
            known.iter().any(|name| name == field)
        } else {
            !is_elsewhere || plan.qualified.contains(field)
        };
        if is_added {
            tables[at].add_empty(field);
        }
    }
}

/// The error about a column that no table has. `known` are all fields of all tables.
pub(super) fn unknown_field(column: &str, mut known: Vec<String>) -> SqlError {
    known.extend([KEY, PAYLOAD].map(str::to_owned));
    known.sort_unstable();
    known.dedup();
    // SQLite names a table before the column if the statement does; a field may have dots, too.
    let names = column.match_indices('.').map(|(dot, _)| &column[dot + 1..]);
    let near =
        std::iter::once(column).chain(names).find_map(|name| nearest(name, known.iter().map(String::as_str)));
    let hint = match near {
        Some(near) => format!("; did you mean {near:?}?"),
        None if known.len() <= MOST_NAMED => {
            let known: Vec<String> = known.iter().map(|name| format!("{name:?}")).collect();
            format!("; there are {}", known.join(", "))
        }
        None => format!("; there are {} other fields", known.len()),
    };
    SqlError::UnknownField { field: column.to_owned(), hint }
}
