//! The rows of the table `event`.

use std::sync::LazyLock;

use rusqlite::{Connection, Row, ToSql, params, params_from_iter};
use smallvec::SmallVec;

use super::millis::Millis;
use super::rows::signed;
use crate::domain::{Epoch, EventId, FeedEvent, FeedRetention, JsonText, Topic};

const APPEND_ONE: &str = "INSERT INTO event (topic, revision, at, data) VALUES (?1, ?2, ?3, ?4)";
/// How many events one statement appends, if there are as many: that takes 0.7 of what one statement for each takes.
const AT_ONCE: usize = 10;
static APPEND_MANY: LazyLock<String> = LazyLock::new(|| {
    let others: String = (1..AT_ONCE).map(|at| format!(", (?1, ?2 + {at}, ?3, ?{})", at + 4)).collect();
    format!("{APPEND_ONE}{others}")
});

/// How many events a feed has, and how long their data are together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FeedSize {
    pub(super) events: u64,
    pub(super) bytes: u64,
}

/// What must stay of a feed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeedBounds {
    pub(super) retention: FeedRetention,
    /// The revision claimed last. Events behind it may be [`FeedRetention::UNCLAIMED_FACTOR`] times as many.
    pub(super) claimed: u64,
    /// The present revision, whose event always stays.
    pub(super) revision: u64,
    pub(super) now: Millis,
}

/// The events of feeds in a file.
pub(super) struct FeedRows<'a>(pub(super) &'a Connection);

impl FeedRows<'_> {
    /// Appends events; the first one has the revision `first`.
    pub(super) fn append(
        &self,
        feed: &Topic,
        first: u64,
        at: Millis,
        events: &[JsonText],
    ) -> rusqlite::Result<()> {
        let mut first = signed(first);
        let mut append = |sql: &str, events: &[JsonText]| {
            let mut statement = self.0.prepare_cached(sql)?;
            let others: [&dyn ToSql; 3] = [&feed.name(), &first, &at];
            let texts: SmallVec<[&str; AT_ONCE]> = events.iter().map(JsonText::as_str).collect();
            let texts = texts.iter().map(|text| text as &dyn ToSql);
            statement.execute(params_from_iter(others.into_iter().chain(texts)))?;
            first += events.len() as i64;
            Ok(())
        };
        let (many, rest) = events.as_chunks::<AT_ONCE>();
        many.iter().try_for_each(|events| append(&APPEND_MANY, events))?;
        rest.chunks(1).try_for_each(|event| append(APPEND_ONE, event))
    }

    /// How much the feed has. SQLite reads all of its events for this.
    pub(super) fn size(&self, feed: &Topic) -> rusqlite::Result<FeedSize> {
        let sql = "SELECT count(*), coalesce(sum(octet_length(data)), 0) FROM event WHERE topic = ?1";
        self.0.prepare_cached(sql)?.query_row([feed.name()], |row| {
            let unsigned = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
            Ok(FeedSize { events: unsigned(0)?, bytes: unsigned(1)? })
        })
    }

    /// Removes the oldest events beyond the bounds, and takes them off `size`.
    pub(super) fn trim(&self, feed: &Topic, size: &mut FeedSize, bounds: FeedBounds) -> rusqlite::Result<()> {
        let sql = "SELECT revision, at, octet_length(data) FROM event WHERE topic = ?1 AND revision < ?2 ORDER BY revision";
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params![feed.name(), signed(bounds.revision)])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (revision, at, bytes): (i64, Millis, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if !bounds.exclude(*size, revision.unsigned_abs(), at) {
                break;
            }
            *size = FeedSize { events: size.events - 1, bytes: size.bytes - bytes.unsigned_abs() };
            last = Some(revision);
        }
        match last {
            Some(last) => {
                let sql = "DELETE FROM event WHERE topic = ?1 AND revision <= ?2";
                self.0.prepare_cached(sql)?.execute(params![feed.name(), last]).map(|_| ())
            }
            None => Ok(()),
        }
    }

    /// The first `limit` events behind a revision, up to another one.
    pub(super) fn after(
        &self,
        feed: &Topic,
        epoch: Epoch,
        revision: u64,
        last: u64,
        limit: usize,
    ) -> rusqlite::Result<Vec<FeedEvent>> {
        let sql = "SELECT revision, at, data FROM event WHERE topic = ?1 AND revision > ?2 AND revision <= ?3 \
                   ORDER BY revision LIMIT ?4";
        let mut statement = self.0.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let parameters = params![feed.name(), signed(revision), signed(last), limit];
        let rows = statement.query_map(parameters, event(epoch))?;
        rows.collect()
    }

    /// The last `limit` events before a revision, the newest first.
    pub(super) fn before(
        &self,
        feed: &Topic,
        epoch: Epoch,
        revision: u64,
        limit: usize,
    ) -> rusqlite::Result<Vec<FeedEvent>> {
        let sql = "SELECT revision, at, data FROM event WHERE topic = ?1 AND revision < ?2 \
                   ORDER BY revision DESC LIMIT ?3";
        let mut statement = self.0.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![feed.name(), signed(revision), limit], event(epoch))?;
        rows.collect()
    }

    /// Removes all events of a feed.
    pub(super) fn delete(&self, feed: &str) -> rusqlite::Result<()> {
        self.0.prepare_cached("DELETE FROM event WHERE topic = ?1")?.execute([feed]).map(|_| ())
    }
}

impl FeedBounds {
    /// Whether the oldest event of a feed of this size must go.
    fn exclude(&self, size: FeedSize, revision: u64, at: Millis) -> bool {
        let FeedRetention { events, bytes, .. } = self.retention;
        let waits = revision > self.claimed;
        let times = if waits { u64::from(FeedRetention::UNCLAIMED_FACTOR) } else { 1 };
        let oldest = self.retention.oldest(self.now.unsigned_abs());
        size.events > u64::from(events) * times
            || size.bytes > bytes * times
            || !waits && at.unsigned_abs() < oldest
    }
}

/// Reads an event of a feed in this epoch.
fn event(epoch: Epoch) -> impl Fn(&Row<'_>) -> rusqlite::Result<FeedEvent> {
    move |row| {
        let (revision, at): (i64, Millis) = (row.get(0)?, row.get(1)?);
        Ok(FeedEvent {
            id: EventId { epoch, revision: revision.unsigned_abs() },
            at: at.unsigned_abs(),
            data: JsonText::of_stored(row.get::<_, String>(2)?),
        })
    }
}
