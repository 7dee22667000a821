//! Days, hours and times of day in UTC, as keys and as texts.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// The present time, in seconds since 1970.
pub(in crate::http) fn unix_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

/// The key of the hour, as in `2026-02-10T14`.
pub(super) fn hour_key(seconds: i64) -> String {
    text(seconds * 1000, "%Y-%m-%dT%H")
}

/// The key of the day, as in `2026-02-10`.
pub(super) fn day_key(seconds: i64) -> String {
    text(seconds * 1000, "%Y-%m-%d")
}

/// The time of day, to the second.
pub(in crate::http) fn clock(millis: u64) -> String {
    text(millis as i64, "%H:%M:%S")
}

fn text(millis: i64, format: &str) -> String {
    Timestamp::from_millisecond(millis).map(|time| time.strftime(format).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_days_and_hours_in_utc() {
        let leap = 1_709_251_199; // 2024-02-29T23:59:59Z
        assert_eq!((hour_key(leap).as_str(), day_key(leap).as_str()), ("2024-02-29T23", "2024-02-29"));
        assert_eq!(
            (hour_key(leap + 1).as_str(), day_key(leap + 1).as_str()),
            ("2024-03-01T00", "2024-03-01")
        );
        assert_eq!(clock(1_709_251_199_999), "23:59:59");
    }
}
