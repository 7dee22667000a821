//! Fills the tables and runs the statement on them.

use rusqlite::types::Null;
use rusqlite::{Error, Statement as SqliteStatement};

use super::answer::{Answer, MOST_BYTES, MOST_ROWS};
use super::cell::Cell;
use super::discovery::{create_table, missing_column, quoted};
use super::error::SqlError;
use super::parameters::Parameters;
use super::sandbox::Sandbox;
use super::statement::Statement;
use super::table::{Row, Table};
use super::wanted::{Fields, KEY, PAYLOAD};
use super::watch::Watch;

/// Why a statement gave no answer.
#[derive(Debug)]
pub(super) enum RunError {
    /// No table has this column.
    NoColumn(String),
    Other(SqlError),
}

impl From<SqlError> for RunError {
    fn from(error: SqlError) -> Self {
        RunError::Other(error)
    }
}

/// Runs the statement on these tables.
pub(super) fn run(
    statement: &Statement,
    parameters: &Parameters,
    tables: &[Table],
    watch: &Watch,
) -> Result<Answer, RunError> {
    let mut sandbox = Sandbox::open(watch)?;
    let mut answer = Answer::default();
    for table in tables {
        let columns = Columns::of(table, &mut answer)?;
        answer.warnings.extend(table.unnamable().map(|field| {
            format!(
                "fields of {:?} are left out whose names no column can have, {field:?} for one; read payload instead",
                table.wanted().name
            )
        }));
        fill(&sandbox, table, &columns).map_err(|error| sandbox.explain(&error))?;
    }
    sandbox.lock(tables.iter().map(|table| table.wanted().name.clone()).collect())?;
    let mut prepared = sandbox.prepare(statement.text()).map_err(|error| refusal(&sandbox, &error))?;
    if !prepared.readonly() || prepared.is_explain() != 0 {
        return Err(RunError::Other(SqlError::NoQuery));
    }
    parameters.bind(&mut prepared)?;
    answer.name_columns(prepared.column_names().map(str::to_owned).collect());
    read_rows(&mut prepared, &mut answer).map_err(|error| sandbox.explain(&error))?;
    Ok(answer)
}

fn refusal(sandbox: &Sandbox, error: &Error) -> RunError {
    let explained = sandbox.explain(error);
    match explained.of_sqlite().and_then(missing_column) {
        Some(column) => RunError::NoColumn(column),
        None => RunError::Other(explained),
    }
}

fn read_rows(statement: &mut SqliteStatement<'_>, answer: &mut Answer) -> rusqlite::Result<()> {
    let width = answer.columns.len();
    let mut bytes = 0;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        if answer.rows.len() == MOST_ROWS || bytes > MOST_BYTES {
            answer.truncated = true;
            break;
        }
        let mut cells = Vec::with_capacity(width);
        for at in 0..width {
            let cell = Cell::of_sqlite(row.get_ref(at)?);
            bytes += cell.size() + answer.columns[at].len() + 4;
            cells.push(cell);
        }
        answer.rows.push(cells);
    }
    Ok(())
}

/// The columns of a table in the database, in order.
struct Columns {
    /// The numbers of the fields, in the order of their names.
    fields: Vec<usize>,
    payload: bool,
}

impl Columns {
    /// SQL does not tell capitals from other letters, so only one of two fields that differ in nothing else can be a column.
    fn of(table: &Table, answer: &mut Answer) -> Result<Columns, SqlError> {
        let names = table.fields();
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_unstable_by_key(|at| &names[*at]);
        let mut fields: Vec<usize> = Vec::new();
        for at in order {
            match fields.iter().find(|known| names[**known].eq_ignore_ascii_case(&names[at])) {
                None => fields.push(at),
                Some(known) if table.wanted().fields == Fields::All => answer.warnings.push(format!(
                    "the field {:?} of {:?} is left out: its name differs from {:?} only in capitals",
                    names[at],
                    table.wanted().name,
                    names[*known]
                )),
                Some(known) => return Err(SqlError::SameName(names[*known].clone(), names[at].clone())),
            }
        }
        Ok(Columns { fields, payload: table.wanted().payload })
    }

    fn names<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = &'a str> {
        let own = std::iter::once(KEY).chain(self.payload.then_some(PAYLOAD));
        own.chain(self.fields.iter().map(|at| table.fields()[*at].as_str()))
    }
}

fn fill(sandbox: &Sandbox, table: &Table, columns: &Columns) -> rusqlite::Result<()> {
    let connection = sandbox.unlocked();
    let name = &table.wanted().name;
    connection.execute_batch(&create_table(name, columns.names(table)))?;
    let marks = vec!["?"; columns.names(table).count()].join(",");
    connection.execute_batch("BEGIN")?;
    let mut insert = connection.prepare(&format!("INSERT INTO main.{} VALUES ({marks})", quoted(name)))?;
    // The place of each field in the statement that inserts; `None` for a field that is left out.
    let first = if columns.payload { 3 } else { 2 };
    let mut places = vec![None; table.fields().len()];
    for (at, field) in columns.fields.iter().enumerate() {
        places[*field] = Some(first + at);
    }
    for row in table.rows() {
        insert_row(&mut insert, row, &places, first..first + columns.fields.len())?;
    }
    drop(insert);
    connection.execute_batch("COMMIT")
}

fn insert_row(
    insert: &mut SqliteStatement<'_>,
    row: &Row,
    places: &[Option<usize>],
    all: std::ops::Range<usize>,
) -> rusqlite::Result<()> {
    insert.raw_bind_parameter(1, &row.key)?;
    if let Some(payload) = &row.payload {
        insert.raw_bind_parameter(2, payload)?;
    }
    // What the row before has bound stays bound.
    if row.values.len() < all.len() {
        for place in all {
            insert.raw_bind_parameter(place, Null)?;
        }
    }
    for (field, value) in &row.values {
        if let Some(place) = places[*field] {
            insert.raw_bind_parameter(place, value)?;
        }
    }
    insert.raw_execute().map(drop)
}
