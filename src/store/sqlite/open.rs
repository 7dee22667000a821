//! Opens the file for this process alone, and only if this program has written it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::private;

/// Each step turns a file of one version into one of the next version; the first one starts with an empty file. The `user_version`
/// of the file is its version. A step that has been released never changes: a new step is added instead.
const STEPS: [&str; 8] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
];

/// The version that this program works with.
pub(super) const SCHEMA_VERSION: i64 = STEPS.len() as i64;

/// The `application_id` of the file: "live" in ASCII.
const APPLICATION_ID: i64 = 0x6c69_7665;

/// How long to wait while another program has locked the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a file cannot be the store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created, read or written.
    #[error("cannot use {path}: {source}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Another process has the file. Only one process at a time may have the file, because gates and leases are in its memory.
    #[error("{path} is in use by another process: end that one first, or use another file")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is an SQLite database of another program.
    #[error("{path} is the database of another program")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program has written the file.
    #[error(
        "{path} was written by a newer version (its schema is {found}, this version knows up to {SCHEMA_VERSION})"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema version of the file.
        found: i64,
    },
    /// SQLite cannot open the file: it is no database, it is damaged, or the disk fails.
    #[error("cannot open {path}: {source}{hint}", hint = hint(.source))]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
}

/// What to look at after an error that SQLite also gives for a disk without room, such as `disk I/O error`; empty for other errors.
fn hint(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => {
            "; the disk may be full, or the file may have reached the limit of file sizes (ulimit -f)"
        }
        _ => "",
    }
}

/// The lock that keeps other processes away. A process that this one starts inherits the handle until its own program runs, and would
/// keep the lock so long; so the lock is given back, and not only the handle closed.
pub(super) struct FileLock(File);

impl Drop for FileLock {
    fn drop(&mut self) {
        // If this fails, the lock ends with the last handle.
        let _ = self.0.unlock();
    }
}

/// A connection that writes, and the lock that keeps other processes away. The lock is on a file beside the database, since closing
/// a second handle to the database itself would release the locks of SQLite.
pub(super) fn for_writing(path: &Path) -> Result<(Connection, FileLock), OpenError> {
    let unusable = |source| OpenError::Unusable { path: path.to_owned(), source };
    private::open_or_create(path).map_err(unusable)?;
    let path = &path.canonicalize().map_err(unusable)?;
    let lock = lock(path)?;
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let connection = Connection::open(path).map_err(sqlite)?;
    check(&connection, path)?;
    private::keep(path);
    prepare(&connection).map_err(sqlite)?;
    Ok((connection, lock))
}

/// A second connection to a file that [`for_writing`] has opened.
pub(super) fn for_reading(path: &Path) -> Result<Connection, OpenError> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        keep_plans(&connection)?;
        connection.pragma_update(None, "cache_size", -512)?;
        Ok(connection)
    };
    open().map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })
}

fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let version = number("PRAGMA user_version").map_err(sqlite)?;
    let application = number("PRAGMA application_id").map_err(sqlite)?;
    let tables = number("SELECT count(*) FROM sqlite_schema").map_err(sqlite)?;
    match (application, version, tables) {
        (0, 0, 0) | (APPLICATION_ID, 1..=SCHEMA_VERSION, _) => Ok(()),
        (APPLICATION_ID, found, _) if found > SCHEMA_VERSION => {
            Err(OpenError::Newer { path: path.to_owned(), found })
        }
        _ => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

/// Keeps SQLite from looking at the values of a statement when it plans it: for a statement with a range, such as the events before a revision, SQLite would
/// make a new plan for each new value, which takes longer than the statement.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    keep_plans(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL, so that an acknowledged change is on the disk even if the power fails.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -2048)?;
    // The greatest length of the write-ahead log, in pages. Each checkpoint costs two more waits for the disk.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.pragma_update(None, "journal_size_limit", 32 << 20)?;
    migrate(connection)
}

/// Runs the steps that the file still needs, each in a transaction.
fn migrate(connection: &Connection) -> rusqlite::Result<()> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (number, step) in (1..).zip(STEPS).filter(|(number, _)| *number > version) {
        if version > 0 {
            tracing::info!("the database is brought from version {} to {number}", number - 1);
        }
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {step} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT",
        ))?;
    }
    Ok(())
}

fn lock(path: &Path) -> Result<FileLock, OpenError> {
    let beside = private::beside(path, "-lock");
    let unusable = |source| OpenError::Unusable { path: beside.clone(), source };
    let file = private::open_or_create(&beside).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(FileLock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_ends_with_its_owner_though_a_copy_of_the_handle_is_left() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("livecounter.db");
        let first = lock(&path).expect("a lock");
        let inherited = first.0.try_clone().expect("a second handle, as a started process has it");
        assert!(matches!(lock(&path), Err(OpenError::InUse { .. })));
        drop(first);
        lock(&path).expect("the lock");
        drop(inherited);
    }
}
