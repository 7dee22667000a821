//! A database in memory, for one statement, which can reach nothing else.

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, Statement};

use super::authorizer::{Reads, Recorder};
use super::error::SqlError;
use super::functions;
use super::statement::{LONGEST, position};
use super::watch::Watch;

/// The most bytes of a text, of a row and of what one group or one call of a function makes.
const LONGEST_VALUE: i32 = 64 * 1024;
/// The same while the tables are filled: an entity has at most 16 KiB, which escapes make longer in `payload`.
const LONGEST_ROW: i32 = 1024 * 1024;
/// After so many steps of SQLite's machine, and a jump back, the statement looks whether it has to stop. A step can call a function on two long texts,
/// which takes milliseconds.
const STEPS: i32 = 100;
/// The memory of sorters and of what they keep in files, in KiB. SQLite moves what is beyond it into files of the temporary directory.
const CACHE_KIB: i64 = 2048;

const LIMITS: [(Limit, i32); 10] = [
    (Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE),
    // Twice: a table of the discovery has all names of the statement, with quotes around them.
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 2 * LONGEST as i32),
    (Limit::SQLITE_LIMIT_COLUMN, 300),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 50),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 8),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 16),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 64),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
];

const SWITCHES: [(DbConfig, bool); 8] = [
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    // Otherwise a mistyped name in double quotes would be a text.
    (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
];

/// See the top of the module.
pub(super) struct Sandbox {
    connection: Connection,
    recorder: Recorder,
    watch: Watch,
}

impl Sandbox {
    /// Opens an empty database.
    pub(super) fn open(watch: &Watch) -> Result<Self, SqlError> {
        let sandbox = || -> rusqlite::Result<Sandbox> {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut connection = Connection::open_in_memory_with_flags(flags)?;
            for (switch, on) in SWITCHES {
                connection.set_db_config(switch, on)?;
            }
            connection.execute_batch(&format!(
                "PRAGMA temp_store = FILE; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA journal_mode = OFF; \
                 PRAGMA cell_size_check = OFF"
            ))?;
            connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_ROW)?;
            connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
            functions::define(&connection, watch, LONGEST_VALUE as usize)?;
            let handler = watch.clone();
            connection.progress_handler(STEPS, Some(move || handler.is_over()))?;
            Ok(Sandbox { connection, recorder: Recorder::default(), watch: watch.clone() })
        };
        sandbox()
            .map_err(|error| SqlError::Failed(format!("the database of the statement did not open: {error}")))
    }

    /// The connection, to make and fill tables.
    pub(super) fn unlocked(&self) -> &Connection {
        &self.connection
    }

    /// Lets a client's statement in: from now on the limits hold, and only these tables can be read.
    pub(super) fn lock(&mut self, tables: Vec<String>) -> Result<(), SqlError> {
        let locked = |connection: &mut Connection, recorder: Recorder| -> rusqlite::Result<()> {
            for (limit, value) in LIMITS {
                connection.set_limit(limit, value)?;
            }
            connection.authorizer(Some(move |context: AuthContext<'_>| recorder.authorize(context)))
        };
        *self.recorder.reads() = Reads { tables, ..Reads::default() };
        locked(&mut self.connection, self.recorder.clone())
            .map_err(|error| SqlError::Failed(error.to_string()))
    }

    /// Lets tables be made again.
    pub(super) fn unlock(&mut self) -> Result<(), SqlError> {
        let none: Option<fn(AuthContext<'_>) -> Authorization> = None;
        self.connection.authorizer(none).map_err(|error| SqlError::Failed(error.to_string()))
    }

    /// Prepares the client's statement.
    pub(super) fn prepare(&self, statement: &str) -> Result<Statement<'_>, Error> {
        self.connection.prepare(statement)
    }

    /// What the statement was seen to read.
    pub(super) fn reads(&self) -> Reads {
        self.recorder.reads().clone()
    }

    /// What an error of SQLite means for the client.
    pub(super) fn explain(&self, error: &Error) -> SqlError {
        if let Some(refused) = self.recorder.reads().refused.clone() {
            return SqlError::Forbidden(refused);
        }
        if let Error::SqlInputError { msg, sql, offset, .. } = error {
            let (line, column) = position(sql, usize::try_from(*offset).unwrap_or_default());
            return SqlError::Syntax { message: msg.clone(), line, column };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => self.watch.error(),
            Some(ErrorCode::TooBig) => {
                SqlError::TooMuch(format!("a text or a row became longer than {LONGEST_VALUE} bytes"))
            }
            Some(
                ErrorCode::OutOfMemory
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen,
            ) => {
                tracing::warn!("a statement needed a temporary file and could not have it: {error}");
                SqlError::Failed("the statement sorts too much for this machine now; try again".to_owned())
            }
            _ => SqlError::Refused(error.to_string()),
        }
    }
}
