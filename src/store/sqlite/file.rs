//! The SQL statements of the connection that writes.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::documents;
use super::feed_rows::FeedRows;
use super::history_rows::HistoryRows;
use super::key_rows::KeyRows;
use super::millis::Millis;
use super::open::{self, OpenError, SCHEMA_VERSION};
use super::rows::{self, signed, state_columns};
use super::site_visitors::SiteVisitors;
use super::topic::TopicState;
use crate::domain::{Document, Retention, Topic};

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

    /// The histories of topics.
    pub(super) fn history(&self) -> HistoryRows<'_> {
        HistoryRows(&self.connection)
    }

    /// The idempotency keys.
    pub(super) fn keys(&self) -> KeyRows<'_> {
        KeyRows(&self.connection)
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
            Some(hour) => self.history().complete(topic.name(), hour, retention),
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
        self.history().delete(name)?;
        self.connection.prepare_cached("DELETE FROM topic WHERE name = ?1")?.execute([name]).map(|_| ())
    }

    /// Deletes the history of a topic, of a site its visitors, of an entity its fields, and of a feed its events.
    pub(super) fn delete_past(&self, topic: &Topic) -> rusqlite::Result<()> {
        if topic.is_entity() {
            return documents::delete(&self.connection, topic.name());
        }
        SiteVisitors::delete(&self.connection, topic.name())?;
        self.feeds().delete(topic.name())?;
        self.history().delete(topic.name())
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

    /// Deletes the tombstones that were acknowledged before `before`.
    pub(super) fn purge_tombstones(&self, before: Millis) -> rusqlite::Result<()> {
        let sql = "DELETE FROM topic WHERE deleted > 0 AND deleted <= ?1 AND acknowledged = revision";
        self.connection.prepare_cached(sql)?.execute([before]).map(|_| ())
    }
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
