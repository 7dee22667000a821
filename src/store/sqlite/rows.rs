//! The rows of the table `topic`, and columns of other tables.

use rusqlite::{Connection, OptionalExtension, Row};

use super::topic::TopicState;
use crate::domain::{Epoch, Topic, Unit};

/// The columns that [`state`] reads, in its order.
macro_rules! state_columns {
    () => {
        "value, revision, epoch, published, previous, acknowledged, claimed, deleted, claimed_value, is_new"
    };
}
pub(super) use state_columns;

/// The state of a topic; `None` if it has never changed.
pub(super) fn load(connection: &Connection, topic: &Topic) -> rusqlite::Result<Option<TopicState>> {
    let sql = concat!("SELECT ", state_columns!(), " FROM topic WHERE name = ?1");
    connection.prepare_cached(sql)?.query_row([topic.name()], state).optional()
}

/// The column `history.unit`.
pub(super) fn unit_column(unit: Unit) -> i64 {
    match unit {
        Unit::Hour => 0,
        Unit::Day => 1,
    }
}

/// The state, and the name, which is in the column after those of the state.
pub(super) fn named_state(row: &Row<'_>) -> rusqlite::Result<(String, TopicState)> {
    Ok((row.get(10)?, state(row)?))
}

/// The topics in these rows.
pub(super) fn named_topics(
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
        claimed_value: row.get(8)?,
        is_new: row.get(9)?,
        complete: None,
        // The leases were in the memory of the process that had the file before. So the mark is overdue at once.
        due: (acknowledged < revision).then_some(0),
        gate: 0,
    })
}

/// Revisions and epochs are far below 2^63.
pub(super) fn signed(number: u64) -> i64 {
    number.cast_signed()
}
