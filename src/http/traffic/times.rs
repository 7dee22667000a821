//! Times in UTC as texts.

use jiff::Timestamp;

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
    fn a_time_of_day_is_that_of_utc() {
        assert_eq!(clock(1_709_251_199_999), "23:59:59");
    }
}
