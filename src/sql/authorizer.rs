//! Decides what a statement may do, while SQLite prepares it, and records which columns it reads.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Functions that give one value for each row, and have no effect beyond that value. Not among them: functions of files and
/// extensions, and those that make long texts from short ones (`printf`, `format`, `zeroblob`, `randomblob`).
const SCALAR: [&str; 55] = [
    "->",
    "->>",
    "abs",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "glob",
    "hex",
    "ifnull",
    "if",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_extract",
    "json_object",
    "json_quote",
    "json_type",
    "json_valid",
    "julianday",
    "length",
    "like",
    "lower",
    "ltrim",
    "nullif",
    "octet_length",
    "quote",
    "replace",
    "round",
    "rtrim",
    "sign",
    "strftime",
    "substr",
    "substring",
    "time",
    "timediff",
    "trim",
    "typeof",
    "unicode",
    "unistr",
    "unixepoch",
    "upper",
    "likely",
    "unlikely",
    "likelihood",
    "json_error_position",
    "json_pretty",
    "subtype",
];

/// Functions that give one value for several rows. Not among them: `json_group_array` and `json_group_object`, which SQLite lets grow
/// to the end of a group before it looks at their length.
const AGGREGATE: [&str; 19] = [
    "avg",
    "count",
    "cume_dist",
    "dense_rank",
    "first_value",
    "group_concat",
    "lag",
    "last_value",
    "lead",
    "max",
    "min",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
    "string_agg",
    "sum",
    "total",
];

/// How the tables begin that SQLite has without a client's help.
const BUILT_IN: [&str; 6] = ["sqlite_", "pragma_", "json_each", "json_tree", "jsonb_each", "jsonb_tree"];

/// Whether the function gives one value for each row.
pub(super) fn is_scalar(function: &str) -> bool {
    SCALAR.iter().any(|name| name.eq_ignore_ascii_case(function))
}

fn is_known(function: &str) -> bool {
    is_scalar(function) || AGGREGATE.iter().any(|name| name.eq_ignore_ascii_case(function))
}

/// What a statement was seen to read, and what it was not allowed.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// The tables that the statement may read.
    pub(super) tables: Vec<String>,
    /// The columns that the statement reads, each with its table.
    pub(super) columns: BTreeSet<(String, String)>,
    /// What was refused first.
    pub(super) refused: Option<String>,
}

/// The record of a connection's authorizer.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorder(Arc<Mutex<Reads>>);

impl Recorder {
    /// The record, to be read and changed.
    pub(super) fn reads(&self) -> MutexGuard<'_, Reads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides about one action of the statement.
    pub(super) fn authorize(&self, context: AuthContext<'_>) -> Authorization {
        let mut reads = self.reads();
        let refused = match context.action {
            AuthAction::Select => None,
            AuthAction::Read { table_name, column_name } => reads.read(table_name, column_name),
            AuthAction::Function { function_name } if is_known(function_name) => None,
            AuthAction::Function { function_name } => {
                Some(format!("the function {function_name} is not available here"))
            }
            AuthAction::Recursive => Some("recursive queries are not available here".to_owned()),
            _ => Some(
                "a statement can only read entities here: no other tables, table-valued functions or settings".to_owned(),
            ),
        };
        match refused {
            None => Authorization::Allow,
            Some(what) => {
                reads.refused.get_or_insert(what);
                Authorization::Deny
            }
        }
    }
}

impl Reads {
    /// Records a read; what is refused, if the table is not one of the statement's.
    fn read(&mut self, table: &str, column: &str) -> Option<String> {
        let Some(known) = self.tables.iter().find(|known| known.eq_ignore_ascii_case(table)) else {
            // SQLite reports a common table expression of which no column is read, too. What it reads is reported beside.
            let begins =
                |begin: &&str| table.get(..begin.len()).is_some_and(|part| part.eq_ignore_ascii_case(begin));
            let refused = !column.is_empty() || BUILT_IN.iter().any(begins);
            return refused.then(|| format!("the table {table} is not available here"));
        };
        // A table of which no column is read, as by count(*), is reported with an empty name.
        if !column.is_empty() {
            self.columns.insert((known.clone(), column.to_owned()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn sqlite_has_each_function_that_is_allowed() {
        let connection = Connection::open_in_memory().expect("a database");
        let mut known = connection.prepare("SELECT DISTINCT name FROM pragma_function_list").expect("a list");
        let known: BTreeSet<String> =
            known.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("names");
        let allowed = SCALAR.iter().chain(&AGGREGATE).map(|name| (*name).to_owned());
        let missing: Vec<String> = allowed.filter(|name| !known.contains(name)).collect();
        assert_eq!(missing, Vec::<String>::new());
    }
}
