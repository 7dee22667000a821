//! The SQL statements of the connection that writes.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::complete_hour::CompleteHour;
use super::documents;
use super::feed_rows::FeedRows;
use super::millis::Millis;
use super::open::{self, OpenError, SCHEMA_VERSION};
use super::rows::{self, signed, state_columns, unit_column};
use super::site_visitors::SiteVisitors;
use super::topic::TopicState;
use crate::domain::{
    BEFORE_ALL, Document, Epoch, EventId, IdempotencyKey, Past, Point, Retention, Topic, Unit,
};
use crate::store::{KeyUse, Stamp, Written};

/// How many topics one step of pruning looks at and removes.
const PRUNE_STEP: u32 = 5000;

/// After so many transactions the write-ahead log is moved into the file, even if it is short. For each page that a transaction
/// appends, SQLite goes through the earlier copies of that page in the log: with 4,000 copies, that was a quarter of the instructions
/// of an addition.
const CHECKPOINT_AFTER: u32 = 500;

/// The connection that writes. The file is locked for this process while it lives.
pub(super) struct StoreFile {
    connection: Connection,
    /// The number of transactions since the write-ahead log was moved into the file.
    commits: Cell<u32>,
    _lock: open::FileLock,
}

/// The values of the column `idempotency.kind`.
const ADDED: i64 = 0;
const SET: i64 = 1;
const DELETED: i64 = 2;
const MERGED: i64 = 3;
const APPENDED: i64 = 4;

/// The first use of an idempotency key.
pub(super) struct KeyRecord {
    pub(super) key_use: KeyUse,
    pub(super) value: i64,
    pub(super) removed: bool,
    pub(super) stamp: Option<Stamp>,
}

impl KeyRecord {
    /// The answer to a repetition.
    pub(super) fn answer(&self) -> Written {
        let KeyRecord { value, removed, stamp, .. } = *self;
        Written { value, removed, stamp, replayed: true, ..Written::default() }
    }
}

impl StoreFile {
    /// Opens or creates the file.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let (connection, lock) = open::for_writing(path)?;
        Ok(StoreFile { connection, commits: Cell::default(), _lock: lock })
    }

    /// Begins a transaction.
    pub(super) fn begin(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(|_| ())
    }

    /// Commits. On return, the disk has everything that was written since [`begin`](Self::begin).
    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.commits.set(self.commits.get() + 1);
        if self.commits.get() >= CHECKPOINT_AFTER {
            self.commits.set(0);
            self.checkpoint();
        }
        Ok(())
    }

    /// Moves the write-ahead log into the file. If that fails, the log grows, and the next commits are as durable as before.
    fn checkpoint(&self) {
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::debug!("the write-ahead log stays as it is: {error}");
        }
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
        rows::load(&self.connection, topic)
    }

    /// The events of feeds.
    pub(super) fn feeds(&self) -> FeedRows<'_> {
        FeedRows(&self.connection)
    }

    /// Writes the state of a topic, and into the history the hour that is complete.
    pub(super) fn save(
        &self,
        topic: &Topic,
        state: &TopicState,
        retention: Retention,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO topic (name, value, revision, epoch, published, previous, acknowledged, claimed, \
                   deleted, claimed_value, is_new) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
                   ON CONFLICT DO UPDATE SET value = ?2, revision = ?3, epoch = ?4, published = ?5, previous = ?6, \
                   acknowledged = ?7, claimed = ?8, deleted = ?9, claimed_value = ?10, is_new = ?11";
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
            state.claimed_value,
            state.is_new,
        ])?;
        match &state.complete {
            Some(hour) => self.save_history(topic.name(), hour, retention),
            None => Ok(()),
        }
    }

    /// The topics that still have to be announced.
    pub(super) fn unacknowledged(&self) -> rusqlite::Result<Vec<(Topic, TopicState)>> {
        let sql = concat!("SELECT ", state_columns!(), ", name FROM topic WHERE acknowledged < revision");
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], rows::named_state)?;
        rows::named_topics(rows)
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

    /// Keeps the address of a page.
    pub(super) fn keep_address(&self, page: &Topic, address: &str) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO address (topic, address) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute(params![page.name(), address]).map(|_| ())
    }

    /// The fields of an entity.
    pub(super) fn document(&self, topic: &Topic) -> rusqlite::Result<Arc<Document>> {
        documents::load(&self.connection, topic)
    }

    /// Writes the fields of an entity. Without a time in `ends`, the end of its life stays.
    pub(super) fn save_document(
        &self,
        topic: &Topic,
        document: &Document,
        ends: Option<Millis>,
    ) -> rusqlite::Result<()> {
        documents::save(&self.connection, topic, document, ends)
    }

    /// Some entities whose lives end at `now` or before.
    pub(super) fn ended_documents(&self, now: Millis, limit: usize) -> rusqlite::Result<Vec<Topic>> {
        documents::ended(&self.connection, now, limit)
    }

    /// When the next entity is to be deleted; `None` if none is.
    pub(super) fn next_end(&self) -> rusqlite::Result<Option<Millis>> {
        documents::next_end(&self.connection)
    }

    /// Removes a topic.
    pub(super) fn remove(&self, name: &str) -> rusqlite::Result<()> {
        documents::delete(&self.connection, name)?;
        SiteVisitors::delete(&self.connection, name)?;
        self.feeds().delete(name)?;
        self.connection.prepare_cached("DELETE FROM address WHERE topic = ?1")?.execute([name])?;
        self.connection.prepare_cached("DELETE FROM history WHERE topic = ?1")?.execute([name])?;
        self.connection.prepare_cached("DELETE FROM topic WHERE name = ?1")?.execute([name]).map(|_| ())
    }

    /// Writes the value of an hour that is over into the history, and as the value of its day if the day is over. Deletes points that
    /// are too old, and points that do not lie before the present hour or day: these were written before the clock was set back,
    /// or by version 3, which wrote the present hour, too.
    fn save_history(&self, topic: &str, hour: &CompleteHour, retention: Retention) -> rusqlite::Result<()> {
        let insert = "INSERT INTO history VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET value = ?4";
        let trim = "DELETE FROM history WHERE topic = ?1 AND unit = ?2 AND (number >= ?3 OR ?4 = 0 OR number < \
                    (SELECT number FROM history WHERE topic = ?1 AND unit = ?2 AND number < ?3 \
                    ORDER BY number DESC LIMIT 1 OFFSET ?4 - 1))";
        let write = |unit: Unit, point: Point| {
            let values = params![topic, unit_column(unit), point.number, point.value];
            self.connection.prepare_cached(insert)?.execute(values)
        };
        for unit in [Unit::Hour, Unit::Day] {
            let (kept, is_over) = (i64::from(retention.of(unit)), hour.is_over(unit));
            if hour.is_first && hour.is_over(Unit::Hour) {
                write(unit, BEFORE_ALL)?;
            }
            if is_over && kept > 0 {
                write(unit, hour.point(unit))?;
            }
            // Points become too old only when an hour or a day begins.
            if is_over || hour.next < hour.claimed {
                let present = unit.number(hour.next);
                let values = params![topic, unit_column(unit), present, kept];
                self.connection.prepare_cached(trim)?.execute(values)?;
            }
        }
        Ok(())
    }

    /// Writes a past in the place of that of a topic.
    pub(super) fn replace_history(&self, topic: &Topic, past: &Past) -> rusqlite::Result<()> {
        let sql = "DELETE FROM history WHERE topic = ?1";
        self.connection.prepare_cached(sql)?.execute([topic.name()])?;
        let mut insert = self.connection.prepare_cached("INSERT INTO history VALUES (?1, ?2, ?3, ?4)")?;
        for unit in [Unit::Hour, Unit::Day] {
            for point in past.of(unit) {
                insert.execute(params![topic.name(), unit_column(unit), point.number, point.value])?;
            }
        }
        Ok(())
    }

    /// Deletes the history of a topic, of a site its visitors, of an entity its fields, and of a feed its events.
    pub(super) fn delete_past(&self, topic: &Topic) -> rusqlite::Result<()> {
        if topic.is_entity() {
            return documents::delete(&self.connection, topic.name());
        }
        SiteVisitors::delete(&self.connection, topic.name())?;
        self.feeds().delete(topic.name())?;
        let sql = "DELETE FROM history WHERE topic = ?1";
        self.connection.prepare_cached(sql)?.execute([topic.name()]).map(|_| ())
    }

    /// The visitors of a site.
    pub(super) fn visitors(&self, site: &Topic) -> rusqlite::Result<SiteVisitors> {
        SiteVisitors::load(&self.connection, site)
    }

    /// Saves the visitors of a site.
    pub(super) fn save_visitors(
        &self,
        site: &Topic,
        visitors: &mut SiteVisitors,
        retention: Retention,
    ) -> rusqlite::Result<()> {
        visitors.save(&self.connection, site, retention.days)
    }

    /// The first use of a key, if the file still has it.
    pub(super) fn key(
        &self,
        topic: &Topic,
        key: &IdempotencyKey,
        now: Millis,
    ) -> rusqlite::Result<Option<KeyRecord>> {
        let sql = "SELECT kind, amount, value, epoch, revision, at FROM idempotency WHERE topic = ?1 AND key = ?2 AND expires > ?3";
        let record = |row: &Row<'_>| {
            let (kind, amount, value): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let of = |key_use| KeyRecord { key_use, value, removed: false, stamp: None };
            Ok(match kind {
                ADDED => of(KeyUse::Add(amount)),
                SET => of(KeyUse::Set(amount)),
                MERGED => KeyRecord { stamp: Some(stamp(row)?), ..of(KeyUse::Merge(amount.cast_unsigned())) },
                APPENDED => {
                    KeyRecord { stamp: Some(stamp(row)?), ..of(KeyUse::Append(amount.cast_unsigned())) }
                }
                _ => KeyRecord { removed: amount != 0, ..of(KeyUse::Delete) },
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
        let sql = "INSERT OR REPLACE INTO idempotency (topic, key, kind, amount, value, expires, epoch, revision, at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let (kind, amount) = match record.key_use {
            KeyUse::Add(amount) => (ADDED, amount),
            KeyUse::Set(value) => (SET, value),
            KeyUse::Delete => (DELETED, i64::from(record.removed)),
            KeyUse::Merge(digest) => (MERGED, digest.cast_signed()),
            KeyUse::Append(digest) => (APPENDED, digest.cast_signed()),
        };
        let Stamp { id, at } = record.stamp.unwrap_or_default();
        let (epoch, revision, at) = (signed(id.epoch.get()), signed(id.revision), signed(at));
        let values =
            params![topic.name(), key.as_str(), kind, amount, record.value, expires, epoch, revision, at];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Writes the use of a key for an addition unless the key was used before and is not expired. Returns whether this is its first use.
    pub(super) fn use_key(
        &self,
        topic: &Topic,
        key: &IdempotencyKey,
        (amount, value): (i64, i64),
        now: Millis,
        expires: Millis,
    ) -> rusqlite::Result<bool> {
        let sql = "INSERT INTO idempotency (topic, key, kind, amount, value, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                   ON CONFLICT DO UPDATE SET kind = ?3, amount = ?4, value = ?5, expires = ?6 WHERE expires <= ?7";
        let values = params![topic.name(), key.as_str(), ADDED, amount, value, expires, now];
        self.connection.prepare_cached(sql)?.execute(values).map(|rows| rows > 0)
    }

    /// Removes the use of a key.
    pub(super) fn forget_key(&self, topic: &Topic, key: &IdempotencyKey) -> rusqlite::Result<()> {
        let sql = "DELETE FROM idempotency WHERE topic = ?1 AND key = ?2";
        self.connection.prepare_cached(sql)?.execute(params![topic.name(), key.as_str()]).map(|_| ())
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

/// The stamp in a row of the table `idempotency`.
fn stamp(row: &Row<'_>) -> rusqlite::Result<Stamp> {
    let unsigned = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let id = EventId { epoch: Epoch::new(unsigned(3)?), revision: unsigned(4)? };
    Ok(Stamp { id, at: unsigned(5)? })
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
