//! Time zones, by their names in the database of the IANA.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The database is part of the program, so every origin has the same, and no name is looked for among the files of a machine.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The longest name in the database has about half as many characters.
const LONGEST: usize = 64;

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// Why a text names no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownZone {
    /// There is no such name.
    #[error("is no time zone: it must be a name such as UTC or Europe/Berlin")]
    NoSuchName,
    /// There is this name, with other capitals. Each zone has one spelling, so that caches keep one answer for it.
    #[error("must be written {0}")]
    Spelling(String),
}

impl Zone {
    /// The time zone of this name.
    pub fn named(name: &str) -> Result<Zone, UnknownZone> {
        if name == Zone::utc().name {
            return Ok(Zone::utc());
        }
        if name.is_empty() || name.len() > LONGEST {
            return Err(UnknownZone::NoSuchName);
        }
        let rules = DATABASE.get(name).map_err(|_| UnknownZone::NoSuchName)?;
        match rules.iana_name() {
            Some(spelt) if spelt == name => Ok(Zone { name: name.to_owned(), rules }),
            Some(spelt) => Err(UnknownZone::Spelling(spelt.to_owned())),
            None => Err(UnknownZone::NoSuchName),
        }
    }

    /// UTC.
    pub fn utc() -> Zone {
        Zone { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its days are those of UTC.
    pub fn is_utc(&self) -> bool {
        self.name == "UTC"
    }

    /// A time, given in milliseconds since 1970, as `2026-11-27T20:00:00+01:00`.
    pub(super) fn time(&self, millis: i64) -> String {
        let form = if self.is_utc() { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
        self.written(form, millis)
    }

    /// A time, for people, as `2026-11-27 20:00`.
    pub(super) fn minute(&self, millis: i64) -> String {
        self.written("%Y-%m-%d %H:%M", millis)
    }

    /// The day in which a time lies.
    pub(super) fn day_of(&self, millis: i64) -> Date {
        timestamp(millis).to_zoned_datetime(self.rules.clone()).date()
    }

    /// When a day begins, in milliseconds since 1970. That is not always midnight: where clocks are set forward at midnight, it is
    /// an hour later.
    pub(super) fn begin_of(&self, day: Date) -> i64 {
        let begin = day.at(0, 0, 0, 0).to_zoned_datetime(self.rules.clone());
        begin.map_or(0, |begin| begin.timestamp().as_millisecond())
    }

    fn written(&self, form: &str, millis: i64) -> String {
        timestamp(millis).to_zoned_datetime(self.rules.clone()).strftime(form).to_string()
    }
}

/// A time that the calendar does not reach counts as 1970.
fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_one_spelling() {
        for name in ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Argentina/Buenos_Aires", "Etc/UTC"] {
            assert_eq!(Zone::named(name).expect("a zone").name(), name);
        }
        let berlin = UnknownZone::Spelling("Europe/Berlin".into());
        assert_eq!(Zone::named("europe/BERLIN").err(), Some(berlin));
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        let long = "Europe/".repeat(1500);
        for name in [
            "",
            "../../etc",
            "../../etc/passwd",
            "/etc/localtime",
            "Europe/",
            "Berlin\0",
            "Ünter",
            "+01:00",
            &long,
        ] {
            assert_eq!(Zone::named(name).err(), Some(UnknownZone::NoSuchName), "{name}");
        }
    }

    #[test]
    fn a_day_begins_where_the_zone_says() {
        let day = |zone: &str, millis| {
            let zone = Zone::named(zone).expect("a zone");
            let day = zone.day_of(millis);
            (day.to_string(), (zone.begin_of(day) - millis) / 60_000)
        };
        // 2026-11-27 19:30 UTC.
        let evening = 1_795_807_800_000;
        assert_eq!(day("UTC", evening), ("2026-11-27".into(), -19 * 60 - 30));
        assert_eq!(day("Asia/Kathmandu", evening), ("2026-11-28".into(), -75));
        // In Beirut, clocks are set from 0:00 to 1:00 on 2026-03-29, which is at 22:00 UTC.
        let noon = 1_774_782_000_000;
        assert_eq!(day("Asia/Beirut", noon), ("2026-03-29".into(), -13 * 60));
    }
}
