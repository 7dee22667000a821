//! The connection that reads while the writer works.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::documents;
use super::feed_rows::FeedRows;
use super::open::{self, OpenError};
use super::rows::{self, state_columns, unit_column};
use super::site_visitors::SiteVisitors;
use super::topic::TopicState;
use crate::domain::{Document, EntityKey, Point, Topic, Unit};
use crate::store::{EntityQuery, Uniques};

/// A second connection, which can read while the writer works.
pub(super) struct ReadOnlyFile(Connection);

impl ReadOnlyFile {
    /// Opens a file that [`StoreFile::open`](super::file::StoreFile::open) has opened.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        open::for_reading(path).map(ReadOnlyFile)
    }

    /// The state of a topic; `None` if it has never changed.
    pub(super) fn load(&self, topic: &Topic) -> rusqlite::Result<Option<TopicState>> {
        rows::load(&self.0, topic)
    }

    /// The events of feeds.
    pub(super) fn feeds(&self) -> FeedRows<'_> {
        FeedRows(&self.0)
    }

    /// The state of an entity, and its fields at that state.
    pub(super) fn load_document(&self, topic: &Topic) -> rusqlite::Result<(TopicState, Arc<Document>)> {
        let snapshot = self.0.unchecked_transaction()?;
        let state = rows::load(&snapshot, topic)?.unwrap_or_default();
        let document = if state.exists() { documents::load(&snapshot, topic)? } else { Arc::default() };
        snapshot.finish()?;
        Ok((state, document))
    }

    /// When the life of an entity ends, in milliseconds since 1970.
    pub(super) fn ends(&self, entity: &Topic) -> rusqlite::Result<Option<u64>> {
        let sql = "SELECT ends FROM document WHERE topic = ?1";
        let ends: Option<Option<i64>> =
            self.0.prepare_cached(sql)?.query_row([entity.name()], |row| row.get(0)).optional()?;
        Ok(ends.flatten().map(i64::unsigned_abs))
    }

    /// The address of a page.
    pub(super) fn address(&self, page: &Topic) -> rusqlite::Result<Option<String>> {
        let sql = "SELECT address FROM address WHERE topic = ?1";
        self.0.prepare_cached(sql)?.query_row([page.name()], |row| row.get(0)).optional()
    }

    /// The points in the history of a topic.
    pub(super) fn history(&self, topic: &Topic, unit: Unit) -> rusqlite::Result<Vec<Point>> {
        let sql = "SELECT number, value FROM history WHERE topic = ?1 AND unit = ?2";
        let point = |row: &Row<'_>| Ok(Point { number: row.get(0)?, value: row.get(1)? });
        let mut statement = self.0.prepare_cached(sql)?;
        statement.query_map(params![topic.name(), unit_column(unit)], point)?.collect()
    }

    /// How many different visitors a site had; `day` is the number of the present day, and `kept` how many days are kept.
    pub(super) fn uniques(&self, site: &Topic, day: i64, kept: u16) -> rusqlite::Result<Uniques> {
        SiteVisitors::uniques(&self.0, site, day, kept)
    }

    /// The topics with the greatest values among those whose names begin with `prefix`. SQLite reads all of these topics: an index of the
    /// values would have to be written with each change.
    pub(super) fn top(&self, prefix: &str, limit: usize) -> rusqlite::Result<Vec<(Topic, i64)>> {
        let sql = "SELECT name, value FROM topic WHERE name >= ?1 AND name < ?2 AND deleted = 0 \
                   ORDER BY value DESC, name LIMIT ?3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?));
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_map(params![prefix, format!("{prefix}\u{7f}"), limit], row)?;
        let found =
            rows.filter_map(|row| row.map(|(name, value)| Some((name.parse().ok()?, value))).transpose());
        found.collect()
    }

    /// The first topics of entities that the query asks for, with their keys. Routes below the query's have topics whose names begin alike.
    pub(super) fn entities(&self, query: &EntityQuery) -> rusqlite::Result<Vec<(Topic, EntityKey)>> {
        let (low, high) = query.names();
        let order = if query.descending { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT name FROM topic WHERE name >= ?1 AND name < ?2 AND instr(substr(name, length(?3) + 1), '/') = 0 AND deleted = 0 \
             ORDER BY name {order} LIMIT ?4"
        );
        let before_key = Topic::entity_prefix(&query.route, "");
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        let mut statement = self.0.prepare_cached(&sql)?;
        let names =
            statement.query_map(params![low, high, before_key, limit], |row| row.get::<_, String>(0))?;
        let entity = |name: String| {
            let topic: Topic = name.parse().ok()?;
            let (_, key) = topic.entity_name()?;
            Some((topic, key))
        };
        names.filter_map(|name| name.map(entity).transpose()).collect()
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
        // There is one lower bound: of two, SQLite would seek the first, and walk from there to the second.
        let (bound, least) = if after >= prefix { ("name > ?1", after) } else { ("name >= ?1", prefix) };
        let columns = state_columns!();
        let sql = format!(
            "SELECT {columns}, name FROM topic WHERE {bound} AND name < ?2 AND deleted = 0 ORDER BY name LIMIT ?3"
        );
        let mut statement = self.0.prepare_cached(&sql)?;
        let rows = statement.query_map(params![least, end, limit], rows::named_state)?;
        rows::named_topics(rows)
    }
}
