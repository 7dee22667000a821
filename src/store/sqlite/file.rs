//! The file: opening it for this process alone, its schema, and the statements on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::topic::{Millis, TopicState};
use crate::domain::{Epoch, IdempotencyKey, Topic};

/// Kept in the file's `user_version`.
const SCHEMA_VERSION: i64 = 1;

/// Kept in the file's `application_id`: "live" in ASCII.
const APPLICATION_ID: i64 = 0x6c69_7665;

/// How long another program may hold the file before that is a failure.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// So many expired keys are deleted at a time.
const PURGE_STEP: u32 = 1000;

/// Why a file cannot be the store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created, read or written.
    #[error("cannot use {path}: {source}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Another process has it: one process at a time holds gates and leases in its memory.
    #[error("{path} is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// An SQLite file, but of another program.
    #[error("{path} is the database of another program")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later version of this program.
    #[error("{path} was written by a newer version (its schema is {found}, this version knows up to 1)")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
    },
    /// SQLite cannot open it: no database, damaged, or the disk fails.
    #[error("cannot open {path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

/// The connection that writes. The file is locked for this process while it lives.
pub(super) struct StoreFile {
    connection: Connection,
    _lock: File,
}

/// An idempotency key's first use.
pub(super) struct KeyRecord {
    pub(super) amount: i64,
    pub(super) value: i64,
}

impl StoreFile {
    /// Opens or creates the file. The lock is a file beside it, since closing any second handle to an SQLite file
    /// would drop SQLite's own locks.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Unusable { path: path.to_owned(), source };
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(unusable)?;
        let path = &path.canonicalize().map_err(unusable)?;
        let lock = lock(path)?;
        let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(sqlite)?;
        let file = StoreFile { connection, _lock: lock };
        file.check(path)?;
        file.prepare().map_err(sqlite)?;
        Ok(file)
    }

    fn check(&self, path: &Path) -> Result<(), OpenError> {
        let number = |sql: &str| self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
        let version = number("PRAGMA user_version").map_err(sqlite)?;
        let application = number("PRAGMA application_id").map_err(sqlite)?;
        let tables = number("SELECT count(*) FROM sqlite_schema").map_err(sqlite)?;
        match (application, version, tables) {
            (0, 0, 0) | (APPLICATION_ID, SCHEMA_VERSION, _) => Ok(()),
            (APPLICATION_ID, found, _) => Err(OpenError::Newer { path: path.to_owned(), found }),
            _ => Err(OpenError::Foreign { path: path.to_owned() }),
        }
    }

    fn prepare(&self) -> rusqlite::Result<()> {
        let connection = &self.connection;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(16);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: what is answered is on the disk, even if the power fails.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -2048)?;
        connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
        connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version == 0 {
            connection.execute_batch(&format!(
                "BEGIN IMMEDIATE; {} PRAGMA application_id = {APPLICATION_ID}; \
                 PRAGMA user_version = {SCHEMA_VERSION}; COMMIT",
                include_str!("schema.sql")
            ))?;
        }
        Ok(())
    }

    /// Begins a transaction.
    pub(super) fn begin(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(|_| ())
    }

    /// Commits: what was written since [`begin`](Self::begin) is on the disk.
    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute([]).map(|_| ())
    }

    /// Undoes what was written since [`begin`](Self::begin), where SQLite has not done so by itself.
    pub(super) fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // Should even this fail, the next BEGIN does, and nothing is answered wrongly.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Writes something that changes nothing.
    pub(super) fn touch(&self) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "user_version", SCHEMA_VERSION)
    }

    /// The state of a topic; `None` if it has never changed.
    pub(super) fn load(&self, topic: &Topic) -> rusqlite::Result<Option<TopicState>> {
        load(&self.connection, topic)
    }

    /// Writes the state of a topic.
    pub(super) fn save(&self, topic: &Topic, state: &TopicState) -> rusqlite::Result<()> {
        let sql = "INSERT INTO topic VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET \
                   value = ?2, revision = ?3, published = ?5, published_value = ?6, previous = ?7, acknowledged = ?8";
        self.connection.prepare_cached(sql)?.execute(params![
            topic.name(),
            state.value,
            signed(state.revision),
            signed(state.epoch.get()),
            signed(state.published),
            state.published_value,
            signed(state.previous),
            signed(state.acknowledged),
        ])?;
        Ok(())
    }

    /// The topics that still have to be announced.
    pub(super) fn unacknowledged(&self) -> rusqlite::Result<Vec<(Topic, TopicState)>> {
        let sql = "SELECT value, revision, epoch, published, published_value, previous, acknowledged, name \
                   FROM topic WHERE acknowledged < revision";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(7)?, state(row)?)))?;
        let mut found = Vec::new();
        for row in rows {
            let (name, state) = row?;
            // A name that is none was not written by us; nobody can ask for it either.
            if let Ok(topic) = name.parse() {
                found.push((topic, state));
            }
        }
        Ok(found)
    }

    /// What a key was first used for, if it is still remembered.
    pub(super) fn key(
        &self,
        topic: &Topic,
        key: &IdempotencyKey,
        now: Millis,
    ) -> rusqlite::Result<Option<KeyRecord>> {
        let sql = "SELECT amount, value FROM idempotency WHERE topic = ?1 AND key = ?2 AND expires > ?3";
        let record = |row: &Row<'_>| Ok(KeyRecord { amount: row.get(0)?, value: row.get(1)? });
        self.connection
            .prepare_cached(sql)?
            .query_row(params![topic.name(), key.as_str(), now], record)
            .optional()
    }

    /// Remembers a key's use.
    pub(super) fn remember_key(
        &self,
        topic: &Topic,
        key: &IdempotencyKey,
        record: &KeyRecord,
        expires: Millis,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![topic.name(), key.as_str(), record.amount, record.value, expires];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Deletes some of the keys that have expired; whether there may be more.
    pub(super) fn purge_keys(&self, now: Millis) -> rusqlite::Result<bool> {
        let sql = "DELETE FROM idempotency WHERE (topic, key) IN \
                   (SELECT topic, key FROM idempotency WHERE expires <= ?1 LIMIT ?2)";
        let deleted = self.connection.prepare_cached(sql)?.execute(params![now, PURGE_STEP])?;
        Ok(deleted == PURGE_STEP as usize)
    }
}

/// A second connection, which waits for no writer.
pub(super) struct ReadOnlyFile(Connection);

impl ReadOnlyFile {
    /// Opens a file that [`StoreFile::open`] has opened.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.pragma_update(None, "cache_size", -512)?;
            Ok(ReadOnlyFile(connection))
        };
        open().map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })
    }

    /// The state of a topic; `None` if it has never changed.
    pub(super) fn load(&self, topic: &Topic) -> rusqlite::Result<Option<TopicState>> {
        load(&self.0, topic)
    }
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-lock");
    let unusable = |source| OpenError::Unusable { path: PathBuf::from(&beside), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&beside).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

fn load(connection: &Connection, topic: &Topic) -> rusqlite::Result<Option<TopicState>> {
    let sql = "SELECT value, revision, epoch, published, published_value, previous, acknowledged \
               FROM topic WHERE name = ?1";
    connection.prepare_cached(sql)?.query_row([topic.name()], state).optional()
}

fn state(row: &Row<'_>) -> rusqlite::Result<TopicState> {
    let unsigned = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let (revision, acknowledged) = (unsigned(1)?, unsigned(6)?);
    Ok(TopicState {
        value: row.get(0)?,
        revision,
        epoch: Epoch::new(unsigned(2)?),
        published: unsigned(3)?,
        published_value: row.get(4)?,
        previous: unsigned(5)?,
        acknowledged,
        // Whoever held a lease is gone with the process that knew of it: overdue since ever.
        due: (acknowledged < revision).then_some(0),
        gate: 0,
    })
}

/// Revisions and epochs are far below 2^63.
fn signed(number: u64) -> i64 {
    number.cast_signed()
}
