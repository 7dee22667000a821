//! The different visitors of a site: a sketch of those of one day, and the number of those of each day before.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::sketch::Sketch;
use crate::domain::{Point, Topic};
use crate::store::visits::begins_new_day;
use crate::store::{Uniques, Visit};

/// The different visitors of a site, as a batch of the writer changes them.
pub(super) struct SiteVisitors {
    /// The number of the day since 1970 whose visitors are in the sketch.
    day: i64,
    sketch: Sketch,
    /// The different visitors of all days before, added up.
    over: i64,
    /// The days that have ended since the site was loaded or saved.
    ended: Vec<Point>,
    changed: bool,
}

impl SiteVisitors {
    /// Loads the visitors of a site. A site that is not in the file has had none.
    pub(super) fn load(connection: &Connection, site: &Topic) -> rusqlite::Result<Self> {
        let sql = "SELECT day, total, sketch FROM visitors WHERE topic = ?1";
        let saved = |row: &Row<'_>| {
            let sketch = row.get_ref(2)?.as_blob()?;
            let (day, over, sketch) = (row.get(0)?, row.get(1)?, Sketch::from_bytes(sketch));
            Ok(SiteVisitors { day, sketch, over, ended: Vec::new(), changed: false })
        };
        let found = connection.prepare_cached(sql)?.query_row([site.name()], saved).optional()?;
        Ok(found.unwrap_or_else(|| SiteVisitors {
            day: 0,
            sketch: Sketch::empty(),
            over: 0,
            ended: Vec::new(),
            changed: false,
        }))
    }

    /// Counts a visitor. Returns whether anything has changed since the site was loaded or saved.
    pub(super) fn visit(&mut self, visit: Visit) -> bool {
        if begins_new_day(self.day, visit.day) {
            let value = self.sketch.count();
            if value > 0 {
                self.ended.push(Point { number: self.day, value });
                self.over = self.over.saturating_add(value);
            }
            (self.day, self.sketch) = (visit.day, Sketch::empty());
        }
        self.changed |= self.sketch.add(visit.visitor);
        self.changed
    }

    /// Saves the visitors if they have changed, and deletes days before the last `kept` ones.
    pub(super) fn save(&mut self, connection: &Connection, site: &Topic, kept: u16) -> rusqlite::Result<()> {
        if !self.changed {
            return Ok(());
        }
        let sql = "INSERT INTO visitors (topic, day, total, sketch) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO UPDATE SET day = ?2, total = ?3, sketch = ?4";
        let values = params![site.name(), self.day, self.over, self.sketch.as_bytes()];
        connection.prepare_cached(sql)?.execute(values)?;
        self.changed = false;
        if self.ended.is_empty() {
            return Ok(());
        }
        // A day can end twice if the clock is set back.
        let sql = "INSERT INTO visitors_of_day (topic, day, visitors) VALUES (?1, ?2, ?3) \
                   ON CONFLICT DO UPDATE SET visitors = visitors + ?3";
        for ended in self.ended.drain(..) {
            connection.prepare_cached(sql)?.execute(params![site.name(), ended.number, ended.value])?;
        }
        let sql = "DELETE FROM visitors_of_day WHERE topic = ?1 AND day < ?2";
        let first = self.day - i64::from(kept);
        connection.prepare_cached(sql)?.execute(params![site.name(), first]).map(|_| ())
    }

    /// Deletes what the file has of the visitors of a site.
    pub(super) fn delete(connection: &Connection, site: &str) -> rusqlite::Result<()> {
        connection.prepare_cached("DELETE FROM visitors WHERE topic = ?1")?.execute([site])?;
        connection.prepare_cached("DELETE FROM visitors_of_day WHERE topic = ?1")?.execute([site]).map(|_| ())
    }

    /// How many different visitors a site had, as the file has it; `day` is the number of the present day.
    pub(super) fn uniques(
        connection: &Connection,
        site: &Topic,
        day: i64,
        kept: u16,
    ) -> rusqlite::Result<Uniques> {
        // Both tables are read in one state of the file, since a day that ends moves from one to the other.
        connection.prepare_cached("BEGIN")?.execute([])?;
        let read = || {
            let sql = "SELECT day, visitors FROM visitors_of_day WHERE topic = ?1";
            let point = |row: &Row<'_>| Ok(Point { number: row.get(0)?, value: row.get(1)? });
            let mut statement = connection.prepare_cached(sql)?;
            let days = statement.query_map([site.name()], point)?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok((SiteVisitors::load(connection, site)?, days))
        };
        let found: rusqlite::Result<_> = read();
        connection.prepare_cached("COMMIT")?.execute([])?;
        let (visitors, days) = found?;
        let counted = Point { number: visitors.day, value: visitors.sketch.count() };
        Ok(Uniques::new(day, counted, visitors.over, days, kept))
    }
}
