//! Finds out which tables and columns a statement reads: SQLite prepares the statement on empty tables, and its authorizer tells.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::RangeBounds;

use super::error::SqlError;
use super::key_range::key_range;
use super::parameters::Parameters;
use super::sandbox::Sandbox;
use super::statement::Statement;
use super::wanted::{Fields, KEY, KeyRange, PAYLOAD, WantedTable, is_own};
use super::watch::Watch;

/// The most tables of a statement.
pub(super) const MOST_TABLES: usize = 8;
/// The most parts of a statement that begin with `SELECT` or `VALUES`. SQLite copies a common table expression wherever the
/// statement names it, so each part can double the work of preparing.
const MOST_QUERIES: usize = 16;
/// The most columns of a table that are tried at once. A longer statement names its columns with their tables, or one after the other.
const MOST_TRIED: usize = 280;
/// A column that is read only if all columns are, as by `SELECT *`.
const ALL: &str = "\u{1}";

/// A name that no table has.
const NO_TABLE: &str = "[\u{2}]";
/// How often a statement may have the name of a table in other capitals for something else, such as an alias.
const MOST_SPELLINGS: usize = 100;

/// What a statement reads.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tables: Vec<WantedTable>,
    fields: BTreeSet<String>,
    /// The columns that the statement names behind a table, like `day.requests`.
    pub(super) qualified: BTreeSet<String>,
}

impl Plan {
    /// The fields that the statement names.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(String::as_str)
    }
}

/// An empty table of the discovery.
struct EmptyTable {
    name: String,
    columns: Vec<String>,
}

/// Finds out what the statement reads.
pub(super) fn discover(
    statement: &Statement,
    parameters: &Parameters,
    watch: &Watch,
) -> Result<Plan, SqlError> {
    if statement.query_count() > MOST_QUERIES {
        let problem = format!("a statement has at most {MOST_QUERIES} SELECTs");
        return Err(SqlError::Forbidden(problem));
    }
    let mut search = Search {
        sandbox: Sandbox::open(watch)?,
        names: statement.names().into_iter().filter(|(name, _)| !is_own(name)).collect(),
        tables: Vec::new(),
        tries_all: true,
    };
    search.run(statement)?;
    // The check prepares changed statements, which read other columns.
    let plan = search.plan(statement, parameters);
    search.check_spellings(statement)?;
    Ok(plan)
}

/// The tables that a statement was seen to read so far.
struct Search<'a> {
    sandbox: Sandbox,
    /// What may be columns in the statement, and whether a table is named before it.
    names: Vec<(&'a str, bool)>,
    tables: Vec<EmptyTable>,
    /// Whether tables have all columns that the statement may mean; otherwise only those that SQLite misses.
    tries_all: bool,
}

impl Search<'_> {
    /// Prepares the statement until its tables have what it needs.
    fn run(&mut self, statement: &Statement) -> Result<(), SqlError> {
        loop {
            self.sandbox.lock(self.tables.iter().map(|table| table.name.clone()).collect())?;
            let prepared = self.sandbox.prepare(statement.text()).map(drop);
            let problem = prepared.err().map(|error| self.sandbox.explain(&error));
            self.sandbox.unlock()?;
            let Some(problem) = problem else {
                let reads_all = self.sandbox.reads().columns.iter().any(|(_, column)| column == ALL);
                if !reads_all || !self.tries_all {
                    return Ok(());
                }
                // SELECT * reads all that was tried. What the statement names beside the * has to be told from that.
                self.tries_all = false;
                self.tables.iter_mut().for_each(|table| table.columns.clear());
                self.make_all_again()?;
                continue;
            };
            self.amend(&problem)?.ok_or(problem)?;
        }
    }

    /// Refuses a statement that names a table in two spellings: they are two routes, and one table for SQLite. In the place of each name that is spelled otherwise,
    /// SQLite gets the name of no table: if SQLite misses it, it stood for a table.
    fn check_spellings(&mut self, statement: &Statement) -> Result<(), SqlError> {
        let missing = "no such table: \u{2}";
        for name in self.tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>() {
            for (other, changed) in statement.spelled_otherwise(&name, NO_TABLE).take(MOST_SPELLINGS) {
                self.sandbox.lock(self.tables.iter().map(|table| table.name.clone()).collect())?;
                let prepared = self.sandbox.prepare(&changed).map(drop);
                let problem = prepared.err().map(|error| self.sandbox.explain(&error));
                self.sandbox.unlock()?;
                if problem.as_ref().and_then(SqlError::of_sqlite) == Some(missing) {
                    let mut both = [name.clone(), other.to_owned()];
                    both.sort_unstable();
                    let [first, second] = both;
                    return Err(SqlError::SameTable(first, second));
                }
            }
        }
        Ok(())
    }

    /// Changes the tables so that SQLite has this problem no more; `None` if that cannot be.
    fn amend(&mut self, problem: &SqlError) -> Result<Option<()>, SqlError> {
        let Some(message) = problem.of_sqlite() else { return Ok(None) };
        if let Some(name) = message.strip_prefix("no such table: ") {
            return self.add_table(name);
        }
        if let Some(column) = joined_column(message) {
            return self.widen(column, ..);
        }
        if let Some(column) = message.strip_prefix("ambiguous column name: ") {
            return self.narrow(column);
        }
        match missing_column(message) {
            Some(column) if !self.tries_all => self.add_missing(&column),
            _ => Ok(None),
        }
    }

    /// Makes a table with all columns that the statement may mean. If the statement does not name a table before a column, only the
    /// first table has the column; otherwise the column would be ambiguous.
    fn add_table(&mut self, name: &str) -> Result<Option<()>, SqlError> {
        if self.tables.iter().any(|table| table.name == name) {
            return Ok(None);
        }
        if self.tables.len() == MOST_TABLES {
            return Err(SqlError::TooManyTables(MOST_TABLES));
        }
        let is_first = self.tables.is_empty();
        let mut table = EmptyTable { name: name.to_owned(), columns: Vec::new() };
        for (name, qualified) in &self.names {
            if self.tries_all && (is_first || *qualified) {
                table.add(name);
            }
        }
        let made = table.make(&self.sandbox);
        self.tables.push(table);
        Ok(made)
    }

    /// Adds a column to these tables.
    fn widen(&mut self, column: &str, which: impl RangeBounds<usize>) -> Result<Option<()>, SqlError> {
        let mut changed = None;
        for (at, table) in self.tables.iter_mut().enumerate() {
            if which.contains(&at) && table.add(column) {
                changed = table.make_again(&self.sandbox);
            }
        }
        Ok(changed)
    }

    /// Removes a column from the last table that has it. The statement may mean another table's column, or a column of a sub-query.
    fn narrow(&mut self, column: &str) -> Result<Option<()>, SqlError> {
        let is_column = |known: &String| known.eq_ignore_ascii_case(column);
        let Some(table) = self.tables.iter_mut().rfind(|table| table.columns.iter().any(is_column)) else {
            return Ok(None);
        };
        table.columns.retain(|known| !is_column(known));
        Ok(table.make_again(&self.sandbox))
    }

    /// Adds a column that SQLite misses: to all tables if the statement names a table before it.
    fn add_missing(&mut self, column: &str) -> Result<Option<()>, SqlError> {
        let is_name = |text: &str| self.names.iter().any(|(name, _)| *name == text);
        if is_name(column) {
            return self.widen(column, ..1);
        }
        let behind = column.match_indices('.').map(|(dot, _)| &column[dot + 1..]).find(|text| is_name(text));
        match behind.map(str::to_owned) {
            Some(column) => self.widen(&column, ..),
            None => Ok(None),
        }
    }

    fn make_all_again(&self) -> Result<(), SqlError> {
        for table in &self.tables {
            table
                .make_again(&self.sandbox)
                .ok_or_else(|| SqlError::Failed("a table could not be made".to_owned()))?;
        }
        Ok(())
    }

    /// What the statement reads.
    fn plan(&self, statement: &Statement, parameters: &Parameters) -> Plan {
        let (tables, names) = (self.tables.as_slice(), &self.names);
        let reads = self.sandbox.reads().columns;
        // SQLite does not report the columns by which USING and NATURAL join.
        let read = reads.iter().map(|(_, column)| column.as_str()).chain(statement.joined_by());
        let fields: BTreeSet<&str> = read.filter(|column| *column != ALL && !is_own(column)).collect();
        // SQLite reports a column as the table spells it. The statement may spell another field almost alike.
        let spelled = |field: &str| {
            names
                .iter()
                .map(|(name, _)| *name)
                .filter(move |name| name.eq_ignore_ascii_case(field))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let fields: BTreeSet<String> = fields.into_iter().flat_map(spelled).collect();
        let keys = match tables {
            [_] => key_range(statement, parameters),
            _ => KeyRange::ALL,
        };
        let wanted = |table: &EmptyTable| {
            let all = statement.has_word("NATURAL") || reads.contains(&(table.name.clone(), ALL.to_owned()));
            WantedTable {
                name: table.name.clone(),
                fields: if all { Fields::All } else { Fields::Named(fields.clone()) },
                payload: statement.may_name(PAYLOAD),
                keys: keys.clone(),
            }
        };
        let qualified =
            names.iter().filter(|(_, qualified)| *qualified).map(|(name, _)| (*name).to_owned()).collect();
        Plan { tables: tables.iter().map(wanted).collect(), fields, qualified }
    }
}

/// The column of `USING (column)`, which all tables must have.
fn joined_column(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("cannot join using column ")?;
    rest.strip_suffix(" - column not present in both tables")
}

/// The column that SQLite does not find. If the statement has double quotes around the name, SQLite asks whether it should be a text.
pub(super) fn missing_column(message: &str) -> Option<String> {
    let column = message.strip_prefix("no such column: ")?;
    let quoted = column.strip_suffix(" - should this be a string literal in single-quotes?");
    let quoted = quoted.and_then(|column| column.strip_prefix('"')?.strip_suffix('"'));
    Some(quoted.unwrap_or(column).to_owned())
}

impl EmptyTable {
    /// Whether the column was missing.
    fn add(&mut self, column: &str) -> bool {
        let missing = !self.columns.iter().any(|known| known.eq_ignore_ascii_case(column));
        let fits = self.columns.len() < MOST_TRIED;
        if missing && fits {
            self.columns.push(column.to_owned());
        }
        missing && fits
    }

    /// `None` if SQLite refuses the name of the table.
    fn make(&self, sandbox: &Sandbox) -> Option<()> {
        let columns = [KEY, PAYLOAD, ALL].into_iter().chain(self.columns.iter().map(String::as_str));
        sandbox.unlocked().execute_batch(&create_table(&self.name, columns)).ok()
    }

    fn make_again(&self, sandbox: &Sandbox) -> Option<()> {
        sandbox.unlocked().execute_batch(&format!("DROP TABLE main.{}", quoted(&self.name))).ok()?;
        self.make(sandbox)
    }
}

/// The statement that makes a table; its first column is the key.
pub(super) fn create_table<'a>(name: &str, columns: impl Iterator<Item = &'a str>) -> String {
    let mut sql = format!("CREATE TABLE main.{} (", quoted(name));
    for (at, column) in columns.enumerate() {
        let end = if at == 0 { " TEXT PRIMARY KEY NOT NULL" } else { "" };
        let separator = if at == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(sql, "{separator}{}{end}", quoted(column));
    }
    sql + ") WITHOUT ROWID"
}

/// The name in double quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
