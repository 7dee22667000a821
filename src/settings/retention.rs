//! Parses how much of the past is kept: `[history]` and `[feeds]`.

use super::error::SettingsError;
use super::texts::{AT_LEAST_1, NUMBER_OR_0, Texts};
use crate::domain::{FeedRetention, Retention};

/// Parses how much of the history of counters and of the events of feeds is kept.
pub(super) fn retention(texts: &Texts) -> Result<Retention, SettingsError> {
    let hours = texts.parse("history.hours", NUMBER_OR_0)?;
    let feeds = FeedRetention {
        events: texts.parse("feeds.events", AT_LEAST_1)?,
        bytes: texts.parse("feeds.bytes", "must be a whole number of bytes, such as 262144")?,
        age: texts.duration("feeds.age")?,
    };
    Ok(Retention { hours, days: texts.parse("history.days", NUMBER_OR_0)?, feeds })
}
