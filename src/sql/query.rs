//! A statement with its parameters, and how it is answered.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

use super::answer::Answer;
use super::discovery::{Plan, discover};
use super::error::SqlError;
use super::parameters::Parameters;
use super::run::{RunError, run};
use super::statement::Statement;
use super::table::{MOST_BYTES, Table};
use super::unknown_field::{add_columns, unknown_field};
use super::wanted::WantedTable;
use super::watch::Watch;

/// How long a statement may run, without the time in which its tables are read.
pub(super) const TIME: Duration = Duration::from_secs(1);

/// Reads the tables of a statement.
pub trait TableSource {
    /// Why a table cannot be read.
    type Error;

    /// Reads the rows of a table that the statement needs. A table that does not exist has no rows.
    fn read(&self, wanted: &WantedTable) -> impl Future<Output = Result<Table, QueryError<Self::Error>>>;

    /// The names of all fields that entities of the table have; empty if the table does not exist.
    fn field_names(&self, table: &str) -> impl Future<Output = Result<Vec<String>, QueryError<Self::Error>>>;
}

/// Why a statement gets no answer.
#[derive(Debug)]
pub enum QueryError<E> {
    /// The statement is refused, or was stopped.
    Statement(SqlError),
    /// A table could not be read.
    Source(E),
    /// Too many statements run already; the statement may be tried again.
    Busy,
}

impl<E> From<SqlError> for QueryError<E> {
    fn from(error: SqlError) -> Self {
        QueryError::Statement(error)
    }
}

/// A statement with its parameters.
#[derive(Clone, Debug)]
pub struct Query {
    statement: Statement,
    parameters: Parameters,
    time: Duration,
}

impl Query {
    /// Takes one statement of at most 16 KiB that begins with SELECT, WITH or VALUES.
    pub fn parse(statement: &str, parameters: Parameters) -> Result<Self, SqlError> {
        Ok(Query { statement: Statement::parse(statement)?, parameters, time: TIME })
    }

    /// The same statement with less time.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Query { time: time.min(TIME), ..self }
    }

    /// Answers the statement. If the returned future is dropped, the statement is stopped.
    pub async fn answer<S: TableSource>(self, source: &S) -> Result<Answer, QueryError<S::Error>> {
        let mut watch = Watch::new(self.time);
        let _stop = watch.stop_on_drop();
        let query = Arc::new(self);
        let plan = query
            .blocking(&watch, |query, watch| discover(&query.statement, &query.parameters, watch))
            .await?;
        let asked = Instant::now();
        let (mut tables, mut bytes) = (Vec::new(), 0);
        for wanted in &plan.tables {
            let table = source.read(wanted).await?;
            bytes += table.bytes();
            if bytes > MOST_BYTES {
                return Err(table.too_large().into());
            }
            tables.push(table);
        }
        let warnings = complete(source, &plan, &mut tables).await?;
        watch.pause_ended(asked.elapsed());
        let ran = query.blocking(&watch, move |query, watch| {
            let ran = run(&query.statement, &query.parameters, &tables, watch);
            match ran {
                Err(RunError::NoColumn(column)) => Ok(Err((column, tables))),
                Err(RunError::Other(error)) => Err(error),
                Ok(answer) => Ok(Ok(answer)),
            }
        });
        match ran.await? {
            Ok(mut answer) => {
                answer.warnings.splice(0..0, warnings);
                Ok(answer)
            }
            Err((column, tables)) => {
                let mut known = Vec::new();
                for table in &tables {
                    known.extend(source.field_names(&table.wanted().name).await?);
                }
                Err(unknown_field(&column, known).into())
            }
        }
    }

    /// Does work of SQLite on a thread on which it can wait.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        watch: &Watch,
        work: impl FnOnce(&Query, &Watch) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        let (query, watch) = (Arc::clone(self), watch.clone());
        let done = spawn_blocking(move || work(&query, &watch)).await;
        done.map_err(|error| SqlError::Failed(format!("the statement failed: {error}")))?
    }
}

/// The warning that a route has no entities: its name may be mistyped.
pub fn no_entities(route: &str) -> String {
    format!("there are no entities with the route {route:?}")
}

/// Adds the columns that the statement needs and that no row has, where they are fields of the table or the table does not exist. Tells
/// which tables do not exist.
async fn complete<S: TableSource>(
    source: &S,
    plan: &Plan,
    tables: &mut [Table],
) -> Result<Vec<String>, QueryError<S::Error>> {
    let mut warnings = Vec::new();
    let mut missing = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        let lacks_some = plan.fields().any(|field| !tables.iter().any(|table| table.has(field)));
        if table.rows().is_empty() || lacks_some {
            let known = source.field_names(&table.wanted().name).await?;
            missing.push((at, known));
        }
    }
    for (at, known) in missing {
        if known.is_empty() && tables[at].rows().is_empty() {
            let name = &tables[at].wanted().name;
            warnings.push(no_entities(name));
        }
        add_columns(plan, tables, at, &known);
    }
    Ok(warnings)
}
