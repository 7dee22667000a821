//! The work of `livecounter prune`: removes topics that have not changed for a long time from the store.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::store_source::StoreSource;
use crate::settings::{Settings, SettingsError};
use crate::store::redis::RedisStore;
use crate::store::{Pruned, StoreError, sqlite};

/// The longest time that a call to Redis waits for its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_secs(1);
const DAY_MS: u64 = 24 * 3600 * 1000;

/// A day of the calendar, which begins at midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
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
    StoreSource::check(settings).map_err(|error| settings.locate(error))?;
    let Pruned { seen, old } = match &settings.redis_url {
        Some(url) => {
            let store = RedisStore::connect(url.expose(), TIMEOUT);
            let store = store.map_err(|error| settings.locate(SettingsError::new("redis.url", error)))?;
            store.prune(before.begins_ms(), remove, report).await?
        }
        None => sqlite::prune(&settings.sqlite_path, before.begins_ms(), remove, report)
            .map_err(|error| settings.locate(SettingsError::new("sqlite.path", error)))?,
    };
    Ok(if remove {
        format!("{old} of {seen} topics had not changed since {before}, 0:00 UTC, and are removed")
    } else {
        format!("{old} of {seen} topics have not changed since {before}, 0:00 UTC; --yes removes them")
    })
}

impl Day {
    /// Returns the beginning of the day in milliseconds since 1970.
    fn begins_ms(self) -> u64 {
        let years = 1970..self.year;
        let days = years.map(|year| if is_leap(year) { 366 } else { 365 }).sum::<u64>();
        let months = (1..self.month).map(|month| u64::from(month_length(self.year, month))).sum::<u64>();
        (days + months + u64::from(self.day) - 1) * DAY_MS
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn month_length(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl FromStr for Day {
    type Err = ParseDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = |at, byte: u8| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
        if text.len() != 10 || !text.bytes().enumerate().all(|(at, byte)| form(at, byte)) {
            return Err(ParseDayError::Malformed);
        }
        let number = |part: &str| part.parse::<u16>().map_err(|_| ParseDayError::Malformed);
        let (year, month, day) = (number(&text[..4])?, number(&text[5..7])? as u8, number(&text[8..])? as u8);
        if year < 1970 || !(1..=12).contains(&month) || !(1..=month_length(year, month)).contains(&day) {
            return Err(ParseDayError::Malformed);
        }
        let day = Day { year, month, day };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if u128::from(day.begins_ms()) > now.as_millis() {
            return Err(ParseDayError::Ahead);
        }
        Ok(day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
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
            assert_eq!((day.begins_ms(), day.to_string().as_str()), (seconds * 1000, text));
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
