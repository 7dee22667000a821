//! Time zones, by their names in the database of the IANA.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The database is part of the program: every origin has the same one, and the program does not look for a name among the files of the
/// machine.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The longest name that is looked up. The longest name in the database has about half as many characters.
const LONGEST: usize = 64;

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// The reason for refusing a text as the name of a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownZone {
    /// The database does not have the name.
    #[error("is no time zone: it must be a name such as UTC or Europe/Berlin")]
    NoSuchName,
    /// The database has the name with other capitals. Only one spelling of each zone is accepted, so that caches keep one answer for each
    /// zone.
    #[error("must be written {0}")]
    Spelling(String),
}

impl Zone {
    /// Returns the time zone with this name.
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

    /// Returns the time zone UTC.
    pub fn utc() -> Zone {
        Zone { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// The name of the time zone.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the days of the zone are those of UTC.
    pub fn is_utc(&self) -> bool {
        self.name == "UTC"
    }

    /// Writes a time, given in milliseconds since 1970, as `2026-11-27T20:00:00+01:00`.
    pub(super) fn time(&self, millis: i64) -> String {
        let form = if self.is_utc() { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
        self.written(form, millis)
    }

    /// Writes a time for people, as `2026-11-27 20:00`.
    pub(super) fn minute(&self, millis: i64) -> String {
        self.written("%Y-%m-%d %H:%M", millis)
    }

    /// Returns the day to which a time belongs.
    pub(super) fn day_of(&self, millis: i64) -> Date {
        timestamp(millis).to_zoned_datetime(self.rules.clone()).date()
    }

    /// Returns the time at which a day begins, in milliseconds since 1970. A day does not always begin at midnight: if clocks are set
    /// forward at midnight, the day begins an hour later.
    pub(super) fn begin_of(&self, day: Date) -> i64 {
        let begin = day.at(0, 0, 0, 0).to_zoned_datetime(self.rules.clone());
        begin.map_or(0, |begin| begin.timestamp().as_millisecond())
    }

    fn written(&self, form: &str, millis: i64) -> String {
        timestamp(millis).to_zoned_datetime(self.rules.clone()).strftime(form).to_string()
    }
}

/// Converts milliseconds since 1970. A time outside of the calendar's range becomes the beginning of 1970.
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
    fn an_unknown_zone_is_refused() {
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
