//! Selects the text of each setting and parses it.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use config::{Value, ValueKind};

use super::error::SettingsError;
use super::keys::{KEYS, KNOWN_NAMES, LIST_KEYS, env_name, key_of, no_such_setting};
use super::secret::Secret;
use super::tree::read;
use crate::domain::CounterId;
use crate::limits::TrustedProxies;

/// The problem with a text that is no whole number of at least 1.
pub(super) const AT_LEAST_1: &str = "must be a whole number of at least 1";
/// The problem with a text that is no whole number, where 0 is allowed.
pub(super) const NUMBER_OR_0: &str = "must be a whole number, 0 for none";
/// The problem with a text that is neither of the two.
pub(super) const TRUE_OR_FALSE: &str = "must be true or false";

/// The settings before they are parsed: for each key, the text of the source that wins.
pub(super) struct Texts(HashMap<String, Value>);

impl Texts {
    /// Gathers the texts of the file, if there is one, and of the environment.
    pub(super) fn gather(
        file: Option<(&Path, &str)>,
        environment: &HashMap<String, String>,
    ) -> Result<Self, SettingsError> {
        let mut texts = read(file, environment)?;
        refuse_unknown(&texts, environment)?;
        refuse_wrong_kinds(&texts)?;
        for (name, key) in KNOWN_NAMES {
            let overridden = environment.get(&env_name(key)).is_some_and(|text| !text.is_empty());
            if let Some(text) = environment.get(name).filter(|text| !text.is_empty() && !overridden) {
                texts.insert(key.to_owned(), Value::from(text.as_str()));
            }
        }
        for (key, default) in KEYS.iter().filter(|(_, default)| !default.is_empty()) {
            texts.entry((*key).to_owned()).or_insert_with(|| Value::from(*default));
        }
        Ok(Texts(texts))
    }

    /// Returns the text of a key; `None` if the key is not set or its text is empty.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        match &self.0.get(key)?.kind {
            ValueKind::String(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
            _ => None,
        }
    }

    /// Returns the value of a key, which may be a list; `None` if the key is not set.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Returns the text of a key as a secret; `None` if the key is not set.
    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        self.get(key).map(Secret::from)
    }

    /// Parses a setting that has a default.
    pub(super) fn parse<T: FromStr>(&self, key: &str, problem: &str) -> Result<T, SettingsError> {
        self.get(key).unwrap_or_default().parse().map_err(|_| SettingsError::new(key, problem))
    }

    /// Parses a duration in whole milliseconds, the unit of the stores. Refuses an `M`, because the parser would read months where an
    /// operator may mean minutes.
    pub(super) fn duration(&self, key: &str) -> Result<Duration, SettingsError> {
        let text = self.get(key).unwrap_or_default();
        let duration = humantime::parse_duration(text).ok();
        let duration = duration.filter(|it| it.subsec_nanos() % 1_000_000 == 0 && !text.contains('M'));
        let problem = "must be a duration like 250ms, 1s, 10m (minutes), 2h or 1d";
        let duration = duration.ok_or_else(|| SettingsError::new(key, problem))?;
        if duration > Duration::from_secs(365 * 24 * 3600) {
            return Err(SettingsError::new(key, "must be at most a year"));
        }
        Ok(duration)
    }

    /// Parses a setting that has no default; returns `None` if the key is not set.
    pub(super) fn parse_optional<T: FromStr>(
        &self,
        key: &str,
        problem: &str,
    ) -> Result<Option<T>, SettingsError> {
        self.get(key).map(|_| self.parse(key, problem)).transpose()
    }

    /// Returns the items of a list in the file, or of a text with commas or spaces; `None` if the key is not set.
    pub(super) fn list(&self, key: &str) -> Result<Option<Vec<String>>, SettingsError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let not_texts = || SettingsError::new(key, "must be a list of texts");
        if let Ok(list) = value.clone().into_array() {
            let texts = list.into_iter().map(|item| item.into_string().map_err(|_| not_texts()));
            return texts.collect::<Result<_, _>>().map(Some);
        }
        let text = value.clone().into_string().unwrap_or_default();
        if text.trim().is_empty() {
            return Ok(None);
        }
        Ok(Some(text.split([',', ' ']).filter(|item| !item.is_empty()).map(str::to_owned).collect()))
    }

    /// Parses the addresses of proxies. The result is empty if the key is not set.
    pub(super) fn trusted_proxies(&self, key: &str) -> Result<TrustedProxies, SettingsError> {
        let texts = self.list(key)?.unwrap_or_default();
        TrustedProxies::parse(texts.iter().map(String::as_str))
            .map_err(|error| SettingsError::new(key, error))
    }

    /// Parses the ids of counters; returns `None` if the key is not set.
    pub(super) fn counter_ids(&self, key: &str) -> Result<Option<Vec<CounterId>>, SettingsError> {
        let Some(texts) = self.list(key)? else { return Ok(None) };
        if texts.is_empty() {
            return Err(SettingsError::new(key, "must name a counter: with an empty list all are 404"));
        }
        let ids: Result<Vec<CounterId>, _> = texts.iter().map(|text| text.parse()).collect();
        ids.map(Some).map_err(|error| SettingsError::new(key, error))
    }
}

/// Refuses an unknown key. Checks the variables, too: if one variable sets a key and another variable uses that key as a section, only one
/// of the two is among the texts.
fn refuse_unknown(
    texts: &HashMap<String, Value>,
    environment: &HashMap<String, String>,
) -> Result<(), SettingsError> {
    let set = environment.iter().filter(|(_, text)| !text.is_empty()).filter_map(|(name, _)| key_of(name));
    let unknown = texts.keys().cloned().chain(set).filter(|key| !KEYS.iter().any(|(it, _)| it == key));
    // The error names the first unknown key in alphabetical order, so that the same mistakes always lead to the same error.
    match unknown.min() {
        Some(unknown) => Err(no_such_setting(&unknown)),
        None => Ok(()),
    }
}

/// Refuses a list or a section as the value of a key that needs a single value.
fn refuse_wrong_kinds(texts: &HashMap<String, Value>) -> Result<(), SettingsError> {
    for (key, value) in texts {
        let problem = match value.kind {
            ValueKind::Array(_) if !LIST_KEYS.contains(&key.as_str()) => "must be a single value, not a list",
            ValueKind::Table(_) => "must be a value, not a section",
            _ => continue,
        };
        return Err(SettingsError::new(key, problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::settings::Settings;
    use crate::settings::test_load::{load, load_with, problem};

    #[test]
    fn durations_are_whole_milliseconds_up_to_their_bound_and_never_months() {
        for key in [
            "PUBLISH__INTERVAL",
            "STREAMS__KEEP_ALIVE",
            "CACHE__MAX_AGE",
            "CACHE__STALE_IF_ERROR",
            "REDIS__WAIT_TIMEOUT",
            "COMMANDS__TIME",
        ] {
            let name = format!("LIVECOUNTER__{key}");
            for text in ["10M", "1us", "1000001ns", "10", "-1s", "1e3s"] {
                let problem = problem(&[(&name, text)]);
                assert!(problem.contains("must be a duration like 250ms"), "{text}: {problem}");
            }
        }
        let hour = load(&[("LIVECOUNTER__PUBLISH__INTERVAL", "1h")]).expect("settings");
        assert_eq!(hour.publish_interval, Duration::from_secs(3600));
        let none = load(&[("LIVECOUNTER__PUBLISH__INTERVAL", "0")]).expect("settings");
        assert_eq!(none.publish_interval, Duration::ZERO);
    }

    #[test]
    fn known_counters_come_as_a_list_or_as_a_text() {
        let ids = |settings: Settings| {
            settings.counters_known.map(|ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let of_file = load_with(Some("[counters]\nknown = [\"1\", \"2\"]"), &[], None).expect("settings");
        assert_eq!(ids(of_file), Some(vec!["1".into(), "2".into()]));
        let of_env = load(&[("LIVECOUNTER__COUNTERS__KNOWN", "1,2")]).expect("settings");
        assert_eq!(ids(of_env), Some(vec!["1".into(), "2".into()]));
    }
}
