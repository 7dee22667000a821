//! The texts of the settings: where they come from, which of them wins, and what each may be.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use config::{Config, Environment, File, FileFormat, Value, ValueKind};

use super::{Secret, SettingsError};
use crate::domain::CounterId;
use crate::limits::TrustedProxies;
use crate::nearest::nearest;

/// The keys, with their defaults; an empty default is none.
const KEYS: &[(&str, &str)] = &[
    ("listen", "127.0.0.1:8000"),
    ("workers", ""),
    ("connections.keep_alive", "75s"),
    ("connections.max", ""),
    ("sqlite.path", "livecounter.db"),
    ("redis.url", ""),
    ("redis.wait_replicas", "0"),
    ("redis.wait_timeout", "1s"),
    ("grip.url", ""),
    ("grip.verify_key", ""),
    ("grip.prefix", ""),
    ("fastly.service_id", ""),
    ("fastly.api_key", ""),
    ("fastly.api_url", "https://api.fastly.com"),
    ("fastly.soft_purge", "true"),
    ("publish.interval", "250ms"),
    ("streams.keep_alive", "20s"),
    ("cache.max_age", "10m"),
    ("cache.stale_if_error", "1d"),
    ("counters.known", ""),
    ("access.amounts", "-1000..1000"),
    ("limits.new_topics", ""),
    ("limits.streams", ""),
    ("limits.topics", ""),
    ("limits.writes", ""),
    ("trusted_proxies", ""),
    ("log.format", "text"),
    ("ops.listen", ""),
];

/// The keys whose value may be a list.
const LIST_KEYS: [&str; 2] = ["counters.known", "trusted_proxies"];

/// Names that operators already know. They stand for a key unless `LIVECOUNTER__…` sets it too.
pub(super) const KNOWN_NAMES: [(&str, &str); 5] = [
    ("REDIS_URL", "redis.url"),
    ("GRIP_URL", "grip.url"),
    ("GRIP_VERIFY_KEY", "grip.verify_key"),
    ("FASTLY_API_KEY", "fastly.api_key"),
    ("FASTLY_SERVICE_ID", "fastly.service_id"),
];

/// The names that stand for no key of their own: a part of `listen`, and what is logged.
const OTHER_NAMES: [&str; 2] = ["PORT", "RUST_LOG"];

/// The variables that are texts. One that is ours and no text is refused: it would count as not set.
pub fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<HashMap<String, String>, SettingsError> {
    let mut texts = HashMap::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => {
                texts.insert(name, value);
            }
            Err(_) if is_ours(&name) => return Err(SettingsError::new(name, "must be UTF-8 text")),
            Err(_) => {}
        }
    }
    Ok(texts)
}

fn is_ours(name: &str) -> bool {
    key_of(name).is_some() || KNOWN_NAMES.iter().any(|(it, _)| *it == name) || OTHER_NAMES.contains(&name)
}

/// The settings as written: of each key, the text that won.
pub(super) struct Texts(HashMap<String, Value>);

impl Texts {
    /// From the optional file and the environment.
    pub(super) fn gather(
        file: Option<(&Path, &str)>,
        environment: &HashMap<String, String>,
    ) -> Result<Self, SettingsError> {
        let mut texts = read(file, environment)?;
        let set =
            environment.iter().filter(|(_, text)| !text.is_empty()).filter_map(|(name, _)| key_of(name));
        let unknown = texts.keys().cloned().chain(set).filter(|key| !KEYS.iter().any(|(it, _)| it == key));
        // The least, so that the same mistakes are always told in the same order.
        if let Some(unknown) = unknown.min() {
            return Err(no_such_setting(&unknown));
        }
        for (key, value) in &texts {
            let problem = match value.kind {
                ValueKind::Array(_) if !LIST_KEYS.contains(&key.as_str()) => {
                    "must be a single value, not a list"
                }
                ValueKind::Table(_) => "must be a value, not a section",
                _ => continue,
            };
            return Err(SettingsError::new(key, problem));
        }
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

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        match &self.0.get(key)?.kind {
            ValueKind::String(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
            _ => None,
        }
    }

    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        self.get(key).map(Secret::from)
    }

    pub(super) fn parse<T: FromStr>(&self, key: &str, problem: &str) -> Result<T, SettingsError> {
        self.get(key).unwrap_or_default().parse().map_err(|_| SettingsError::new(key, problem))
    }

    /// Whole milliseconds: the stores count in them. Not with an `M`, which means months to the parser and minutes to
    /// whoever writes it.
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

    /// What is off where it is not set.
    pub(super) fn parse_optional<T: FromStr>(
        &self,
        key: &str,
        problem: &str,
    ) -> Result<Option<T>, SettingsError> {
        self.get(key).map(|_| self.parse(key, problem)).transpose()
    }

    /// A list in the file, a text with commas or white space in the environment; `None` where it is not set.
    fn list(&self, key: &str) -> Result<Option<Vec<String>>, SettingsError> {
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

    pub(super) fn trusted_proxies(&self, key: &str) -> Result<TrustedProxies, SettingsError> {
        let texts = self.list(key)?.unwrap_or_default();
        TrustedProxies::parse(texts.iter().map(String::as_str))
            .map_err(|error| SettingsError::new(key, error))
    }

    pub(super) fn counter_ids(&self, key: &str) -> Result<Option<Vec<CounterId>>, SettingsError> {
        let Some(texts) = self.list(key)? else { return Ok(None) };
        if texts.is_empty() {
            return Err(SettingsError::new(key, "must name a counter: with an empty list all are 404"));
        }
        let ids: Result<Vec<CounterId>, _> = texts.iter().map(|text| text.parse()).collect();
        ids.map(Some).map_err(|error| SettingsError::new(key, error))
    }
}

/// What the file and the variables with our prefix say, by key; the variables win.
fn read(
    file: Option<(&Path, &str)>,
    environment: &HashMap<String, String>,
) -> Result<HashMap<String, Value>, SettingsError> {
    let mut builder = Config::builder();
    let name = file.map_or("environment".into(), |(path, _)| path.to_string_lossy());
    if let Some((_, text)) = file {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    }
    let ours = Environment::with_prefix("LIVECOUNTER").prefix_separator("__").separator("__");
    builder = builder.add_source(ours.source(Some(environment.clone())).ignore_empty(true));
    let config = builder.build().map_err(|error| SettingsError::new(name.clone(), without_lines(&error)))?;
    let tree = config.cache.into_table().map_err(|error| SettingsError::new(name, error))?;
    let mut texts = HashMap::new();
    flatten("", tree, &mut texts);
    Ok(texts)
}

/// `LIVECOUNTER__SECTION__KEY` of `section.key`.
fn env_name(key: &str) -> String {
    format!("LIVECOUNTER__{}", key.replace('.', "__").to_uppercase())
}

/// The key that a variable with our prefix names. Where one names a section that another sets as a key, only one of them
/// is among what has been read.
pub(super) fn key_of(name: &str) -> Option<String> {
    Some(name.to_lowercase().strip_prefix("livecounter__")?.replace("__", "."))
}

/// What the parser says without the lines of the file that it shows: they may hold a secret.
fn without_lines(error: &config::ConfigError) -> String {
    let text = error.to_string();
    let shown = |line: &&str| !line.contains(" | ") && !line.trim_end().ends_with('|');
    text.lines().filter(shown).collect::<Vec<_>>().join(" ")
}

/// Names the setting or the section that was meant, if one is near, or the only one whose last part is the same.
fn no_such_setting(key: &str) -> SettingsError {
    let known = || KEYS.iter().map(|(key, _)| *key);
    let sections = known().filter_map(|key| key.split_once('.')).map(|(section, _)| section);
    let last = |key: &str| key.rsplit('.').next().map(str::to_owned);
    let mut of_that_name = known().filter(|known| last(known) == last(key));
    let only = of_that_name.next().filter(|_| of_that_name.next().is_none());
    match nearest(key, known().chain(sections)).or(only) {
        Some(meant) => SettingsError::new(key, format_args!("no such setting; did you mean {meant}?")),
        None => SettingsError::new(key, "no such setting"),
    }
}

fn is_section(path: &str) -> bool {
    KEYS.iter().any(|(key, _)| key.split_once('.').is_some_and(|(section, _)| section == path))
}

fn flatten(prefix: &str, table: HashMap<String, Value>, texts: &mut HashMap<String, Value>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value.kind {
            ValueKind::Table(inner) if !inner.is_empty() || is_section(&path) => flatten(&path, inner, texts),
            // An empty section that there is none of is a mistake like any unknown key.
            ValueKind::Array(_) | ValueKind::Table(_) => {
                texts.insert(path, value);
            }
            // Numbers too: every setting is parsed from its text.
            _ => {
                texts.insert(path, Value::from(value.into_string().unwrap_or_default()));
            }
        }
    }
}
