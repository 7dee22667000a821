//! The SQL statements on the file.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::history::HistoryRecord;
use super::open::{self, OpenError, SCHEMA_VERSION};
use super::topic::{Millis, TopicState};
use crate::domain::{BEFORE_ALL, Epoch, IdempotencyKey, Point, Retention, Topic, Unit};
use crate::store::{KeyUse, Written};

/// How many topics one step of pruning looks at and removes.
const PRUNE_STEP: u32 = 5000;

/// The connection that writes. The file is locked for this process while it lives.
pub(super) struct StoreFile {
    connection: Connection,
    _lock: File,
}

/// The values of the column `idempotency.kind`.
const ADDED: i64 = 0;
const SET: i64 = 1;
const DELETED: i64 = 2;

/// The first use of an idempotency key.
pub(super) struct KeyRecord {
    pub(super) key_use: KeyUse,
    pub(super) value: i64,
    pub(super) removed: bool,
}

impl KeyRecord {
    /// The answer to a repetition.
    pub(super) fn answer(&self) -> Written {
        Written { value: self.value, removed: self.removed, replayed: true, ..Written::default() }
    }
}

impl StoreFile {
    /// Opens or creates the file.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let (connection, lock) = open::for_writing(path)?;
        Ok(StoreFile { connection, _lock: lock })
    }

    /// Begins a transaction.
    pub(super) fn begin(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(|_| ())
    }

    /// Commits. On return, the disk has everything that was written since [`begin`](Self::begin).
    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute([]).map(|_| ())
    }

    /// Undoes what was written since [`begin`](Self::begin), unless SQLite has undone it already.
    pub(super) fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // If this fails, the next BEGIN fails as well, so no answer is wrong.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Writes to the file without a change, to try the disk.
    pub(super) fn touch(&self) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "user_version", SCHEMA_VERSION)
    }

    /// How many topics there are. SQLite reads the whole table for it.
    pub(super) fn count_topics(&self) -> rusqlite::Result<u64> {
        self.connection.query_row("SELECT count(*) FROM topic WHERE deleted = 0", [], |row| {
            row.get(0).map(i64::unsigned_abs)
        })
    }

    /// The state of a topic; `None` if it has never changed.
    pub(super) fn load(&self, topic: &Topic) -> rusqlite::Result<Option<TopicState>> {
        load(&self.connection, topic)
    }

    /// Writes the state of a topic.
    pub(super) fn save(&self, topic: &Topic, state: &TopicState) -> rusqlite::Result<()> {
        let sql = "INSERT INTO topic (name, value, revision, epoch, published, previous, acknowledged, claimed, \
                   deleted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO UPDATE SET value = ?2, revision = ?3, \
                   epoch = ?4, published = ?5, previous = ?6, acknowledged = ?7, claimed = ?8, deleted = ?9";
        self.connection.prepare_cached(sql)?.execute(params![
            topic.name(),
            state.value,
            signed(state.revision),
            signed(state.epoch.get()),
            signed(state.published),
            signed(state.previous),
            signed(state.acknowledged),
            state.claimed,
            state.deleted,
        ])?;
        Ok(())
    }

    /// The topics that still have to be announced.
    pub(super) fn unacknowledged(&self) -> rusqlite::Result<Vec<(Topic, TopicState)>> {
        let sql = "SELECT value, revision, epoch, published, previous, acknowledged, claimed, deleted, name \
                   FROM topic WHERE acknowledged < revision";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], named_state)?;
        named_topics(rows)
    }

    /// Some names of topics after `last`, in order. Each name comes with whether its topic was claimed last before `before` and
    /// has nothing left to announce.
    pub(super) fn ages_behind(&self, last: &str, before: Millis) -> rusqlite::Result<Vec<(String, bool)>> {
        let sql = "SELECT name, acknowledged = revision AND claimed < ?2 FROM topic WHERE name > ?1 AND deleted = 0 \
                   ORDER BY name LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows =
            statement.query_map(params![last, before, PRUNE_STEP], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    /// Removes a topic.
    pub(super) fn remove(&self, name: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached("DELETE FROM history WHERE topic = ?1")?.execute([name])?;
        self.connection.prepare_cached("DELETE FROM topic WHERE name = ?1")?.execute([name]).map(|_| ())
    }

    /// Writes the value of a topic into its history, and deletes points that are too old, except the latest of them, which gives
    /// the value at the beginning of the kept hours or days. Points in the future were written before the clock was set back, so
    /// they are deleted, too.
    pub(super) fn save_history(&self, record: &HistoryRecord, retention: Retention) -> rusqlite::Result<()> {
        let update = "UPDATE history SET value = ?4 WHERE topic = ?1 AND unit = ?2 AND number = ?3";
        let insert = "INSERT INTO history VALUES (?1, ?2, ?3, ?4)";
        let trim = "DELETE FROM history WHERE topic = ?1 AND unit = ?2 AND (number > ?3 OR ?4 = 0 OR number < \
                    (SELECT number FROM history WHERE topic = ?1 AND unit = ?2 AND number <= ?3 \
                    ORDER BY number DESC LIMIT 1 OFFSET ?4))";
        for unit in [Unit::Hour, Unit::Day] {
            let (kept, number) = (i64::from(retention.of(unit)), unit.number(record.at));
            let (topic, unit) = (record.topic.name(), unit_column(unit));
            if kept > 0 {
                let values = params![topic, unit, number, record.value];
                if self.connection.prepare_cached(update)?.execute(values)? > 0 {
                    // Points become too old only when an hour or a day begins.
                    continue;
                }
                self.connection.prepare_cached(insert)?.execute(values)?;
            }
            if number != BEFORE_ALL.number {
                self.connection.prepare_cached(trim)?.execute(params![topic, unit, number, kept])?;
            }
        }
        Ok(())
    }

    /// Deletes the history of a topic.
    pub(super) fn delete_history(&self, topic: &Topic) -> rusqlite::Result<()> {
        let sql = "DELETE FROM history WHERE topic = ?1";
        self.connection.prepare_cached(sql)?.execute([topic.name()]).map(|_| ())
    }

    /// The first use of a key, if the file still has it.
    pub(super) fn key(
        &self,
        topic: &Topic,
        key: &IdempotencyKey,
        now: Millis,
    ) -> rusqlite::Result<Option<KeyRecord>> {
        let sql =
            "SELECT kind, amount, value FROM idempotency WHERE topic = ?1 AND key = ?2 AND expires > ?3";
        let record = |row: &Row<'_>| {
            let (kind, amount, value): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(match kind {
                ADDED => KeyRecord { key_use: KeyUse::Add(amount), value, removed: false },
                SET => KeyRecord { key_use: KeyUse::Set(amount), value, removed: false },
                _ => KeyRecord { key_use: KeyUse::Delete, value, removed: amount != 0 },
            })
        };
        self.connection
            .prepare_cached(sql)?
            .query_row(params![topic.name(), key.as_str(), now], record)
            .optional()
    }

    /// Writes the first use of a key.
    pub(super) fn remember_key(
        &self,
        topic: &Topic,
        key: &IdempotencyKey,
        record: &KeyRecord,
        expires: Millis,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO idempotency (topic, key, kind, amount, value, expires) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (kind, amount) = match record.key_use {
            KeyUse::Add(amount) => (ADDED, amount),
            KeyUse::Set(value) => (SET, value),
            KeyUse::Delete => (DELETED, i64::from(record.removed)),
        };
        let values = params![topic.name(), key.as_str(), kind, amount, record.value, expires];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Deletes the tombstones that were acknowledged before `before`.
    pub(super) fn purge_tombstones(&self, before: Millis) -> rusqlite::Result<()> {
        let sql = "DELETE FROM topic WHERE deleted > 0 AND deleted <= ?1 AND acknowledged = revision";
        self.connection.prepare_cached(sql)?.execute([before]).map(|_| ())
    }

    /// Deletes some expired keys, and returns whether there may be more.
    pub(super) fn purge_keys(&self, now: Millis, most: usize) -> rusqlite::Result<bool> {
        let sql = "DELETE FROM idempotency WHERE (topic, key) IN \
                   (SELECT topic, key FROM idempotency WHERE expires <= ?1 LIMIT ?2)";
        let deleted = self.connection.prepare_cached(sql)?.execute(params![now, most as i64])?;
        Ok(deleted == most)
    }
}

/// A second connection, which can read while the writer works.
pub(super) struct ReadOnlyFile(Connection);

impl ReadOnlyFile {
    /// Opens a file that [`StoreFile::open`] has opened.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        open::for_reading(path).map(ReadOnlyFile)
    }

    /// The state of a topic; `None` if it has never changed.
    pub(super) fn load(&self, topic: &Topic) -> rusqlite::Result<Option<TopicState>> {
        load(&self.0, topic)
    }

    /// The history of a topic.
    pub(super) fn history(&self, topic: &Topic, unit: Unit) -> rusqlite::Result<Vec<Point>> {
        let sql = "SELECT number, value FROM history WHERE topic = ?1 AND unit = ?2";
        let point = |row: &Row<'_>| Ok(Point { number: row.get(0)?, value: row.get(1)? });
        let mut statement = self.0.prepare_cached(sql)?;
        statement.query_map(params![topic.name(), unit_column(unit)], point)?.collect()
    }

    /// The first topics whose names begin with `prefix` and come after `after`, in the order of their names.
    pub(super) fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> rusqlite::Result<Vec<(Topic, TopicState)>> {
        // All characters of names come before this one.
        let end = format!("{prefix}\u{7f}");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = "SELECT value, revision, epoch, published, previous, acknowledged, claimed, deleted, name FROM topic \
                   WHERE name >= ?1 AND name > ?2 AND name < ?3 AND deleted = 0 ORDER BY name LIMIT ?4";
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_map(params![prefix, after, end, limit], named_state)?;
        named_topics(rows)
    }
}

fn load(connection: &Connection, topic: &Topic) -> rusqlite::Result<Option<TopicState>> {
    let sql = "SELECT value, revision, epoch, published, previous, acknowledged, claimed, deleted \
               FROM topic WHERE name = ?1";
    connection.prepare_cached(sql)?.query_row([topic.name()], state).optional()
}

/// The column `history.unit`.
fn unit_column(unit: Unit) -> i64 {
    match unit {
        Unit::Hour => 0,
        Unit::Day => 1,
    }
}

/// The state, and the name, which is in the column after those of the state.
fn named_state(row: &Row<'_>) -> rusqlite::Result<(String, TopicState)> {
    Ok((row.get(8)?, state(row)?))
}

fn named_topics(
    rows: impl Iterator<Item = rusqlite::Result<(String, TopicState)>>,
) -> rusqlite::Result<Vec<(Topic, TopicState)>> {
    let mut found = Vec::new();
    for row in rows {
        let (name, state) = row?;
        // Another program has written a name that is no topic's. No request can ask for this name.
        if let Ok(topic) = name.parse() {
            found.push((topic, state));
        }
    }
    Ok(found)
}

fn state(row: &Row<'_>) -> rusqlite::Result<TopicState> {
    let unsigned = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let (revision, acknowledged) = (unsigned(1)?, unsigned(5)?);
    Ok(TopicState {
        value: row.get(0)?,
        revision,
        epoch: Epoch::new(unsigned(2)?),
        published: unsigned(3)?,
        previous: unsigned(4)?,
        acknowledged,
        claimed: row.get(6)?,
        deleted: row.get(7)?,
        // The leases were in the memory of the process that had the file before. So the mark is overdue at once.
        due: (acknowledged < revision).then_some(0),
        gate: 0,
    })
}

/// Revisions and epochs are far below 2^63.
fn signed(number: u64) -> i64 {
    number.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_waits_for_the_disk() {
        const FULL: i64 = 2;
        let directory = tempfile::tempdir().expect("a directory");
        let file = StoreFile::open(&directory.path().join("livecounter.db")).expect("a new file");
        let synchronous = file.connection.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0));
        assert_eq!(synchronous, Ok(FULL));
        let journal = file.connection.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
        assert_eq!(journal, Ok("wal".to_owned()));
    }
}
