//! Parses the limits of one client: `[limits]`, `access.amounts` and `trusted_proxies`.

use super::error::SettingsError;
use super::texts::{AT_LEAST_1, Texts};
use crate::limits::{Options, ParseAmountsError, ParseRateError};

/// Parses the limits of one client and the addresses of the proxies that name the client.
pub(super) fn limits(texts: &Texts) -> Result<Options, SettingsError> {
    Ok(Options {
        amounts: texts.parse("access.amounts", &ParseAmountsError.to_string())?,
        new_topics: texts.parse_optional("limits.new_topics", &ParseRateError.to_string())?,
        streams: texts.parse_optional("limits.streams", AT_LEAST_1)?,
        topics: texts.parse_optional("limits.topics", AT_LEAST_1)?,
        trusted_proxies: texts.trusted_proxies("trusted_proxies")?,
        writes: texts.parse_optional("limits.writes", &ParseRateError.to_string())?,
    })
}

#[cfg(test)]
mod tests {
    use crate::settings::test_load::{load, load_with, problem};

    #[test]
    fn limits_are_off_until_they_are_set() {
        let limits = load(&[]).expect("settings").limits;
        assert!(limits.trusted_proxies.is_empty() && limits.are_off());
        assert_eq!(limits.amounts, "-1000..1000".parse().expect("amounts"));
        let file = "trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n[limits]\nstreams = 20\n";
        let of_file = load_with(Some(file), &[], None).expect("settings").limits;
        assert!(!of_file.are_off());
        assert_eq!(of_file.streams.map(|streams| streams.get()), Some(20));
        let environment =
            [("LIVECOUNTER__TRUSTED_PROXIES", "10.0.0.0/8, ::1"), ("LIVECOUNTER__LIMITS__STREAMS", "20")];
        let of_env = load(&environment).expect("settings").limits;
        assert_eq!(of_env.trusted_proxies, of_file.trusted_proxies);
        assert_eq!(of_env.streams, of_file.streams);
    }

    #[test]
    fn invalid_limits_are_refused() {
        for (environment, expected) in [
            (("LIVECOUNTER__LIMITS__TOPICS", "many"), "limits.topics: must be a whole number of at least 1"),
            (("LIVECOUNTER__LIMITS__STREAMS", "0"), "limits.streams: must be a whole number of at least 1"),
            (
                ("LIVECOUNTER__LIMITS__WRITES", "50"),
                "limits.writes: must be a rate of 1 to 1000000 in a second, a minute or an hour, such as 50/s, 100/m \
                 or 1000/h",
            ),
            (
                ("LIVECOUNTER__LIMITS__NEW_TOPICS", "0/s"),
                "limits.new_topics: must be a rate of 1 to 1000000 in a second, a minute or an hour, such as 50/s, \
                 100/m or 1000/h",
            ),
            (
                ("LIVECOUNTER__ACCESS__AMOUNTS", "1000"),
                "access.amounts: must be LEAST..GREATEST, such as -1000..1000, with another number than 0, within \
                 ±9007199254740991",
            ),
            (
                ("LIVECOUNTER__TRUSTED_PROXIES", "10.0.0.1,proxy"),
                "trusted_proxies: \"proxy\" is neither an address, such as 10.0.0.1 or fd00::1, nor a range, such as \
                 10.0.0.0/8 or fd00::/8",
            ),
            (
                ("LIVECOUNTER__TRUSTED_PROXIES", "10.0.0.1/8"),
                "trusted_proxies: 10.0.0.1/8 names an address within the range 10.0.0.0/8: write the one or the other",
            ),
        ] {
            assert_eq!(problem(&[environment]), format!("{expected} (from {})", environment.0));
        }
    }
}
