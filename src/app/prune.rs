//! The work of `livecounter prune`: removes topics that have not changed for a long time from the store.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::store_source::StoreSource;
use crate::settings::{Settings, SettingsError};
use crate::store::redis::RedisStore;
use crate::store::{Pruned, StoreError, sqlite};

/// The longest time that a call to Redis waits for its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A day of the calendar, which begins at midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    date: Date,
    /// When the day begins, in milliseconds since 1970.
    begins_ms: u64,
}

/// The reason for refusing a text as a day that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDayError {
    /// The text does not have the form `2026-01-31`, or the calendar has no such day.
    #[error("must be a day, such as 2026-01-31")]
    Malformed,
    /// The day has not begun, so all topics would count as unchanged since then.
    #[error("must not lie ahead")]
    Ahead,
}

/// The reason why pruning stopped early. Topics that were removed before stay removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// A setting cannot be used, or the file that it names is in use.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Redis did not answer, or answered with an error.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Counts the topics that have not changed since the beginning of a day, and removes them if `remove` is set. Calls `progress` about once a
/// second with the counts so far. Returns the result as a sentence.
pub async fn prune(
    settings: &Settings,
    before: Day,
    remove: bool,
    progress: impl Fn(&str),
) -> Result<String, PruneError> {
    let mut reported = Instant::now();
    let report = |so_far: Pruned| {
        if reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            progress(&format!(
                "{} topics looked at, {} of them have not changed since",
                so_far.seen, so_far.old
            ));
        }
    };
    StoreSource::check(settings)
        .and_then(|()| StoreSource::find_file(settings))
        .map_err(|error| settings.locate(error))?;
    let Pruned { seen, old } = match &settings.redis_url {
        Some(url) => {
            let store = RedisStore::connect(url.expose(), TIMEOUT);
            let store = store.map_err(|error| settings.locate(SettingsError::new("redis.url", error)))?;
            store.prune(before.begins_ms, remove, report).await?
        }
        None => sqlite::prune(&settings.sqlite_path, before.begins_ms, remove, report)
            .map_err(|error| settings.locate(SettingsError::new("sqlite.path", error)))?,
    };
    Ok(if remove {
        format!("{old} of {seen} topics had not changed since {before}, 0:00 UTC, and are removed")
    } else {
        format!("{old} of {seen} topics have not changed since {before}, 0:00 UTC; --yes removes them")
    })
}

impl FromStr for Day {
    type Err = ParseDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The calendar reads other forms of a date, too.
        let form = |at, byte: u8| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
        if text.len() != 10 || !text.bytes().enumerate().all(|(at, byte)| form(at, byte)) {
            return Err(ParseDayError::Malformed);
        }
        let date: Date = text.parse().map_err(|_| ParseDayError::Malformed)?;
        let begin = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).map_err(|_| ParseDayError::Malformed)?;
        if begin > Timestamp::now() {
            return Err(ParseDayError::Ahead);
        }
        let begins_ms = u64::try_from(begin.as_millisecond()).map_err(|_| ParseDayError::Malformed)?;
        Ok(Day { date, begins_ms })
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_where_the_calendar_says() {
        // The seconds are the output of `date --date=... --utc +%s`.
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("1970-03-01", 5_097_600),
            ("2000-02-29", 951_782_400),
            ("2024-12-31", 1_735_603_200),
            ("2026-01-31", 1_769_817_600),
        ] {
            let day: Day = text.parse().expect("a day");
            assert_eq!((day.begins_ms, day.to_string().as_str()), (seconds * 1000, text));
        }
    }

    #[test]
    fn an_invalid_day_and_a_day_ahead_are_refused() {
        for text in [
            "",
            "2026-1-31",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "1969-12-31",
            "2026-01-31T",
            "2026/01/31",
            "+026-01-31",
        ] {
            assert_eq!(text.parse::<Day>(), Err(ParseDayError::Malformed), "{text}");
        }
        assert_eq!("9999-01-01".parse::<Day>(), Err(ParseDayError::Ahead));
    }
}
