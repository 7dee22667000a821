//! The rows of the table `history`.

use rusqlite::{Connection, params};

use super::complete_hour::CompleteHour;
use super::rows::unit_column;
use crate::domain::{BEFORE_ALL, Past, Point, Retention, Topic, Unit};

/// The histories of topics in a file.
pub(super) struct HistoryRows<'a>(pub(super) &'a Connection);

impl HistoryRows<'_> {
    /// Writes the value of an hour that is over into the history, and as the value of its day if the day is over. Deletes points that
    /// are too old, and points that do not lie before the present hour or day: these were written before the clock was set back,
    /// or by version 3, which wrote the present hour, too.
    pub(super) fn complete(
        &self,
        topic: &str,
        hour: &CompleteHour,
        retention: Retention,
    ) -> rusqlite::Result<()> {
        let insert = "INSERT INTO history VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET value = ?4";
        let trim = "DELETE FROM history WHERE topic = ?1 AND unit = ?2 AND (number >= ?3 OR ?4 = 0 OR number < \
                    (SELECT number FROM history WHERE topic = ?1 AND unit = ?2 AND number < ?3 \
                    ORDER BY number DESC LIMIT 1 OFFSET ?4 - 1))";
        let write = |unit: Unit, point: Point| {
            let values = params![topic, unit_column(unit), point.number, point.value];
            self.0.prepare_cached(insert)?.execute(values)
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
                self.0.prepare_cached(trim)?.execute(values)?;
            }
        }
        Ok(())
    }

    /// Writes a past in the place of that of a topic.
    pub(super) fn replace(&self, topic: &Topic, past: &Past) -> rusqlite::Result<()> {
        self.delete(topic.name())?;
        let mut insert = self.0.prepare_cached("INSERT INTO history VALUES (?1, ?2, ?3, ?4)")?;
        for unit in [Unit::Hour, Unit::Day] {
            for point in past.of(unit) {
                insert.execute(params![topic.name(), unit_column(unit), point.number, point.value])?;
            }
        }
        Ok(())
    }

    /// Deletes the history of a topic.
    pub(super) fn delete(&self, topic: &str) -> rusqlite::Result<()> {
        self.0.prepare_cached("DELETE FROM history WHERE topic = ?1")?.execute([topic]).map(|_| ())
    }
}
