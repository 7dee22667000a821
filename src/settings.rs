//! The settings: defaults, then the file, then the environment, then the flags. Each is parsed once, here; what cannot
//! be used is one line that names the key.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use config::{Config, Environment, File, FileFormat, Value, ValueKind};

use crate::domain::CounterId;

/// Everything that can be set. `docs/configuration.md` documents each.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // the table in the documentation is the one place that describes them
pub struct Settings {
    pub listen: SocketAddr,
    pub workers: NonZeroUsize,
    pub sqlite_path: PathBuf,
    pub redis_url: Option<Secret>,
    pub redis_wait_replicas: u32,
    pub redis_wait_timeout: Duration,
    pub grip_url: Option<Secret>,
    pub grip_verify_key: Option<Secret>,
    pub grip_prefix: String,
    pub fastly_service_id: Option<String>,
    pub fastly_api_key: Option<Secret>,
    pub fastly_api_url: String,
    pub fastly_soft_purge: bool,
    pub publish_interval: Duration,
    pub cache_max_age: Duration,
    pub cache_stale_if_error: Duration,
    pub counters_known: Option<Vec<CounterId>>,
    pub log_format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

/// A setting that must not appear in logs and errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for whoever needs it to connect.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A setting that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SettingsError {
    /// The key as the documentation writes it, or the name of the file.
    pub key: String,
    /// What is wrong, without the value of a secret.
    pub problem: String,
}

impl SettingsError {
    /// Names the key and what is wrong with it.
    pub fn new(key: impl Into<String>, problem: impl fmt::Display) -> Self {
        SettingsError { key: key.into(), problem: problem.to_string().replace('\n', " ") }
    }
}

/// The keys, with their defaults; an empty default is none.
const KEYS: [(&str, &str); 18] = [
    ("listen", "127.0.0.1:8000"),
    ("workers", ""),
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
    ("cache.max_age", "10m"),
    ("cache.stale_if_error", "1d"),
    ("counters.known", ""),
    ("log.format", "text"),
];

/// The only key whose value may be a list.
const LIST_KEY: &str = "counters.known";

/// Names that operators already know. They stand for a key unless `LIVECOUNTER__…` sets it too.
const KNOWN_NAMES: [(&str, &str); 5] = [
    ("REDIS_URL", "redis.url"),
    ("GRIP_URL", "grip.url"),
    ("GRIP_VERIFY_KEY", "grip.verify_key"),
    ("FASTLY_API_KEY", "fastly.api_key"),
    ("FASTLY_SERVICE_ID", "fastly.service_id"),
];

impl Settings {
    /// The settings from an optional TOML file, the environment (given as pairs) and the value of `--listen`.
    pub fn load(
        file: Option<&Path>,
        environment: HashMap<String, String>,
        listen: Option<&str>,
    ) -> Result<Self, SettingsError> {
        let texts = Texts::gather(file, &environment)?;
        let listen = match (listen, environment.get("PORT").filter(|port| !port.is_empty())) {
            (Some(flag), _) => {
                flag.parse().map_err(|_| SettingsError::new("--listen", "must be ADDRESS:PORT"))?
            }
            (None, Some(port)) => {
                let port = port.parse().map_err(|_| SettingsError::new("PORT", "must be a port number"))?;
                SocketAddr::new(texts.parse::<SocketAddr>("listen", "must be ADDRESS:PORT")?.ip(), port)
            }
            (None, None) => texts.parse("listen", "must be ADDRESS:PORT")?,
        };
        let settings = Settings {
            listen,
            workers: match texts.get("workers") {
                Some(_) => texts.parse("workers", "must be a whole number of at least 1")?,
                None => std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            },
            sqlite_path: texts.get("sqlite.path").unwrap_or_default().into(),
            redis_url: texts.secret("redis.url"),
            redis_wait_replicas: texts.parse("redis.wait_replicas", "must be a whole number, 0 for none")?,
            redis_wait_timeout: texts.duration("redis.wait_timeout")?,
            grip_url: texts.secret("grip.url"),
            grip_verify_key: texts.secret("grip.verify_key"),
            grip_prefix: texts.get("grip.prefix").unwrap_or_default().to_owned(),
            fastly_service_id: texts.get("fastly.service_id").map(str::to_owned),
            fastly_api_key: texts.secret("fastly.api_key"),
            fastly_api_url: texts.get("fastly.api_url").unwrap_or_default().to_owned(),
            fastly_soft_purge: texts.parse("fastly.soft_purge", "must be true or false")?,
            publish_interval: texts.duration("publish.interval")?,
            cache_max_age: texts.duration("cache.max_age")?,
            cache_stale_if_error: texts.duration("cache.stale_if_error")?,
            counters_known: texts.counter_ids(LIST_KEY)?,
            log_format: texts.parse("log.format", "must be text or json")?,
        };
        settings.check()?;
        Ok(settings)
    }

    /// Refuses what fits no way of running.
    fn check(&self) -> Result<(), SettingsError> {
        if self.redis_url.is_some() && self.grip_url.is_none() {
            let problem =
                "REDIS_URL makes the origin stateless, so its streams need a GRIP proxy: set GRIP_URL too";
            return Err(SettingsError::new("grip.url", problem));
        }
        if self.redis_url.is_none() && self.redis_wait_replicas > 0 {
            return Err(SettingsError::new(
                "redis.wait_replicas",
                "only a Redis has replicas: set REDIS_URL",
            ));
        }
        if !(Duration::from_millis(1)..=Duration::from_secs(10)).contains(&self.redis_wait_timeout) {
            return Err(SettingsError::new("redis.wait_timeout", "must be between 1ms and 10s"));
        }
        if self.fastly_service_id.is_some() != self.fastly_api_key.is_some() {
            let missing = if self.fastly_api_key.is_none() { "fastly.api_key" } else { "fastly.service_id" };
            return Err(SettingsError::new(
                missing,
                "purging needs both fastly.service_id and fastly.api_key",
            ));
        }
        let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~' | b':' | b'/');
        if !self.grip_prefix.bytes().all(safe) {
            return Err(SettingsError::new("grip.prefix", "consists of A-Z a-z 0-9 . _ - ~ : /"));
        }
        Ok(())
    }
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(()),
        }
    }
}

/// The settings as written: of each key, the text that won.
struct Texts(HashMap<String, Value>);

impl Texts {
    fn gather(file: Option<&Path>, environment: &HashMap<String, String>) -> Result<Self, SettingsError> {
        let mut builder = Config::builder();
        if let Some(path) = file {
            builder = builder.add_source(File::new(&path.to_string_lossy(), FileFormat::Toml));
        }
        let ours = Environment::with_prefix("LIVECOUNTER").prefix_separator("__").separator("__");
        builder = builder.add_source(ours.source(Some(environment.clone())).ignore_empty(true));
        let name = file.map_or("environment".into(), Path::to_string_lossy);
        let config =
            builder.build().map_err(|error| SettingsError::new(name.clone(), without_lines(&error)))?;
        let tree = config.cache.into_table().map_err(|error| SettingsError::new(name, error))?;
        let mut texts = HashMap::new();
        flatten("", tree, &mut texts);
        let list =
            |(key, value): &(&String, &Value)| matches!(value.kind, ValueKind::Array(_)) && *key != LIST_KEY;
        if let Some((key, _)) = texts.iter().find(list) {
            return Err(SettingsError::new(key, "must be a single value, not a list"));
        }
        if let Some(unknown) = texts.keys().find(|key| !KEYS.iter().any(|(known, _)| known == key)) {
            return Err(SettingsError::new(unknown, "no such setting"));
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

    fn get(&self, key: &str) -> Option<&str> {
        match &self.0.get(key)?.kind {
            ValueKind::String(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
            _ => None,
        }
    }

    fn secret(&self, key: &str) -> Option<Secret> {
        self.get(key).map(Secret::from)
    }

    fn parse<T: FromStr>(&self, key: &str, problem: &str) -> Result<T, SettingsError> {
        self.get(key).unwrap_or_default().parse().map_err(|_| SettingsError::new(key, problem))
    }

    fn duration(&self, key: &str) -> Result<Duration, SettingsError> {
        let text = self.get(key).unwrap_or_default();
        let duration = humantime::parse_duration(text)
            .map_err(|_| SettingsError::new(key, "must be a duration like 250ms, 1s, 10m or 1d"))?;
        if duration > Duration::from_secs(365 * 24 * 3600) {
            return Err(SettingsError::new(key, "must be at most a year"));
        }
        Ok(duration)
    }

    /// A list in the file, a text with commas or white space in the environment.
    fn counter_ids(&self, key: &str) -> Result<Option<Vec<CounterId>>, SettingsError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let texts: Vec<String> = match value.clone().into_array() {
            Ok(list) => list
                .into_iter()
                .map(|item| {
                    item.into_string().map_err(|_| SettingsError::new(key, "must be a list of texts"))
                })
                .collect::<Result<_, _>>()?,
            Err(_) => {
                let text = value.clone().into_string().unwrap_or_default();
                text.split([',', ' ']).filter(|id| !id.is_empty()).map(str::to_owned).collect()
            }
        };
        let ids: Result<Vec<CounterId>, _> = texts.iter().map(|text| text.parse()).collect();
        ids.map(Some).map_err(|error| SettingsError::new(key, error))
    }
}

/// `LIVECOUNTER__SECTION__KEY` of `section.key`.
fn env_name(key: &str) -> String {
    format!("LIVECOUNTER__{}", key.replace('.', "__").to_uppercase())
}

/// What the parser says without the lines of the file that it shows: they may hold a secret.
fn without_lines(error: &config::ConfigError) -> String {
    let text = error.to_string();
    let shown = |line: &&str| !line.contains(" | ") && !line.trim_end().ends_with('|');
    text.lines().filter(shown).collect::<Vec<_>>().join(" ")
}

fn flatten(prefix: &str, table: HashMap<String, Value>, texts: &mut HashMap<String, Value>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value.kind {
            ValueKind::Table(inner) => flatten(&path, inner, texts),
            ValueKind::Array(_) => {
                texts.insert(path, value);
            }
            // Numbers too: every setting is parsed from its text.
            _ => {
                texts.insert(path, Value::from(value.into_string().unwrap_or_default()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn load(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        load_with(None, environment, None)
    }

    fn load_with(
        file: Option<&str>,
        environment: &[(&str, &str)],
        listen: Option<&str>,
    ) -> Result<Settings, SettingsError> {
        let environment = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let on_disk = file.map(|text| {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(text.as_bytes()).expect("to write it");
            file
        });
        Settings::load(on_disk.as_ref().map(|file| file.path()), environment, listen)
    }

    fn problem(environment: &[(&str, &str)]) -> String {
        load(environment).expect_err("a refusal").to_string()
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let settings = load(&[]).expect("defaults");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(settings.sqlite_path, Path::new("livecounter.db"));
        assert_eq!(settings.publish_interval, Duration::from_millis(250));
        assert_eq!(settings.cache_max_age, Duration::from_secs(600));
        assert_eq!(settings.cache_stale_if_error, Duration::from_secs(86_400));
        assert!(settings.redis_url.is_none() && settings.counters_known.is_none());
        assert_eq!((settings.redis_wait_replicas, settings.redis_wait_timeout), (0, Duration::from_secs(1)));
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let file = "listen = \"127.0.0.1:1\"\nworkers = 3\n[publish]\ninterval = \"1s\"\n";
        let of_file = load_with(Some(file), &[], None).expect("settings");
        assert_eq!((of_file.listen.port(), of_file.workers.get()), (1, 3));
        assert_eq!(of_file.publish_interval, Duration::from_secs(1));
        let environment = [("LIVECOUNTER__LISTEN", "127.0.0.1:2"), ("LIVECOUNTER__PUBLISH__INTERVAL", "0ms")];
        let of_env = load_with(Some(file), &environment, None).expect("settings");
        assert_eq!((of_env.listen.port(), of_env.publish_interval), (2, Duration::ZERO));
        let of_flag = load_with(Some(file), &environment, Some("127.0.0.1:3")).expect("settings");
        assert_eq!(of_flag.listen.port(), 3);
    }

    #[test]
    fn port_changes_the_port_alone() {
        let settings = load(&[("PORT", "9000"), ("LIVECOUNTER__LISTEN", "0.0.0.0:8000")]).expect("settings");
        assert_eq!(settings.listen.to_string(), "0.0.0.0:9000");
    }

    #[test]
    fn the_names_operators_know_stand_for_keys_and_empty_ones_for_nothing() {
        let environment =
            [("REDIS_URL", "redis://r"), ("GRIP_URL", "http://p:5561/"), ("FASTLY_API_KEY", "")];
        let settings = load(&environment).expect("settings");
        assert_eq!(settings.redis_url, Some("redis://r".into()));
        assert_eq!(settings.grip_url, Some("http://p:5561/".into()));
        assert!(settings.fastly_api_key.is_none());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (environment, expected) in [
            (("LIVECOUNTER__PUBLISH__INTERVALL", "1s"), "publish.intervall: no such setting"),
            (
                ("LIVECOUNTER__PUBLISH__INTERVAL", "soon"),
                "publish.interval: must be a duration like 250ms, 1s, 10m or 1d",
            ),
            (("LIVECOUNTER__WORKERS", "0"), "workers: must be a whole number of at least 1"),
            (("PORT", "http"), "PORT: must be a port number"),
            (("LIVECOUNTER__FASTLY__SOFT_PURGE", "1"), "fastly.soft_purge: must be true or false"),
            (("LIVECOUNTER__LOG__FORMAT", "xml"), "log.format: must be text or json"),
            (
                ("LIVECOUNTER__COUNTERS__KNOWN", "1,a/b"),
                "counters.known: a counter id consists of A-Z a-z 0-9 . _ ~ -, character 2 is another",
            ),
            (
                ("FASTLY_API_KEY", "hush"),
                "fastly.service_id: purging needs both fastly.service_id and fastly.api_key",
            ),
            (
                ("LIVECOUNTER__REDIS__WAIT_REPLICAS", "all"),
                "redis.wait_replicas: must be a whole number, 0 for none",
            ),
            (
                ("LIVECOUNTER__REDIS__WAIT_REPLICAS", "1"),
                "redis.wait_replicas: only a Redis has replicas: set REDIS_URL",
            ),
            (("LIVECOUNTER__REDIS__WAIT_TIMEOUT", "0s"), "redis.wait_timeout: must be between 1ms and 10s"),
            (("LIVECOUNTER__GRIP__PREFIX", "a;b"), "grip.prefix: consists of A-Z a-z 0-9 . _ - ~ : /"),
        ] {
            assert_eq!(problem(&[environment]), expected);
        }
        assert!(problem(&[("REDIS_URL", "redis://:hush@r")]).starts_with("grip.url: REDIS_URL makes"));
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

    #[test]
    fn a_broken_file_is_one_line_that_names_the_place_and_not_the_secret() {
        for text in
            ["[fastly]\napi_key = \"hush", "[fastly]\napi_key = hush", "[fastly]\napi_key = \"a\" \"hush\""]
        {
            let error = load_with(Some(text), &[], None).expect_err("a refusal").to_string();
            assert!(!error.contains('\n'), "{error}");
            assert!(error.contains("line 2"), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_list_where_one_value_belongs_is_refused() {
        let error = load_with(Some("[redis]\nurl = [\"redis://a\"]"), &[], None).expect_err("a refusal");
        assert_eq!(error.to_string(), "redis.url: must be a single value, not a list");
    }

    #[test]
    fn an_empty_variable_overrides_nothing() {
        let environment =
            [("LIVECOUNTER__REDIS__URL", ""), ("REDIS_URL", "redis://r"), ("GRIP_URL", "http://p:5561/")];
        assert_eq!(load(&environment).expect("settings").redis_url, Some("redis://r".into()));
        assert!(
            problem(&[("REDIS_URL", "redis://r"), ("GRIP_URL", " ")])
                .starts_with("grip.url: REDIS_URL makes")
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = load(&[("GRIP_URL", "http://p:5561/?key=hush")]).expect("settings");
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
