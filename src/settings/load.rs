//! Loads the settings from the file, the environment and the flags.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;

use super::Settings;
use super::access::access;
use super::check::check;
use super::compat::compat;
use super::error::SettingsError;
use super::hits::hits;
use super::home::analytics;
use super::keys::SECRET_KEYS;
use super::limits::limits;
use super::retention::retention;
use super::sources::Sources;
use super::texts::{AT_LEAST_1, NUMBER_OR_0, TRUE_OR_FALSE, Texts};

impl Settings {
    /// Loads the settings from an optional TOML file, the [`environment`] and the value of `--listen`.
    pub fn load(
        file: Option<&Path>,
        environment: HashMap<String, String>,
        listen: Option<&str>,
    ) -> Result<Self, SettingsError> {
        let name = || file.map(|path| path.display().to_string()).unwrap_or_default();
        // The file is read here, because the library `config` treats a directory as a missing file and then looks for files of
        // similar names.
        let text = file.map(std::fs::read_to_string).transpose();
        let text = text.map_err(|error| SettingsError::new(name(), error))?;
        let file = file.zip(text.as_deref());
        let sources = Sources::of(file, &environment);
        Self::read(file, &environment, listen, &sources).map_err(|error| sources.locate(error))
    }

    fn read(
        file: Option<(&Path, &str)>,
        environment: &HashMap<String, String>,
        listen: Option<&str>,
        sources: &Sources,
    ) -> Result<Self, SettingsError> {
        let texts = Texts::gather(file, environment)?;
        let port = environment.get("PORT").map(String::as_str).filter(|port| !port.is_empty());
        let access = access(&texts)?;
        let settings = Settings {
            listen: address(&texts, port, listen)?,
            workers: workers(&texts)?,
            connections_keep_alive: texts.duration("connections.keep_alive")?,
            connections_max: texts.parse_optional("connections.max", AT_LEAST_1)?,
            sqlite_path: texts.get("sqlite.path").unwrap_or_default().into(),
            redis_url: texts.secret("redis.url"),
            redis_wait_replicas: texts.parse("redis.wait_replicas", NUMBER_OR_0)?,
            redis_wait_timeout: texts.duration("redis.wait_timeout")?,
            grip_url: texts.secret("grip.url"),
            grip_verify_key: texts.secret("grip.verify_key"),
            grip_prefix: texts.get("grip.prefix").unwrap_or_default().to_owned(),
            fastly_service_id: texts.get("fastly.service_id").map(str::to_owned),
            fastly_api_key: texts.secret("fastly.api_key"),
            fastly_api_url: texts.get("fastly.api_url").unwrap_or_default().to_owned(),
            fastly_soft_purge: texts.parse("fastly.soft_purge", TRUE_OR_FALSE)?,
            publish_interval: texts.duration("publish.interval")?,
            streams_keep_alive: texts.duration("streams.keep_alive")?,
            cache_max_age: texts.duration("cache.max_age")?,
            cache_stale_if_error: texts.duration("cache.stale_if_error")?,
            commands_time: texts.duration("commands.time")?,
            counters_known: texts.counter_ids("counters.known")?,
            history: retention(&texts)?,
            hits: hits(&texts)?,
            compat: compat(&texts)?,
            home_analytics: analytics(&texts, &access.keys)?,
            access,
            access_ticket_key: texts.secret("access.ticket_key"),
            admin_public: texts.parse("admin.public", TRUE_OR_FALSE)?,
            admin_tally: texts.parse_optional("admin.tally", TRUE_OR_FALSE)?,
            limits: limits(&texts)?,
            log_format: texts.parse("log.format", "must be text or json")?,
            ops_listen: texts.parse_optional("ops.listen", ADDRESS)?,
            sources: sources.clone(),
        };
        check(&settings)?;
        Ok(settings)
    }

    /// Returns the first secret that stands in the file of the settings, by its key, and the path of the file.
    pub fn secret_in_file(&self) -> Option<(&'static str, &Path)> {
        self.sources.first_in_file(&SECRET_KEYS)
    }

    /// Adds to an error the place where its key is set.
    pub fn locate(&self, error: SettingsError) -> SettingsError {
        self.sources.locate(error)
    }
}

/// The problem with a text that is no address.
const ADDRESS: &str = "must be ADDRESS:PORT, such as 127.0.0.1:8000 or [::1]:8000; names are not looked up";

/// Returns the address of `--listen`, or else the setting `listen`. `PORT` replaces only the port of the setting.
fn address(texts: &Texts, port: Option<&str>, flag: Option<&str>) -> Result<SocketAddr, SettingsError> {
    if let Some(flag) = flag {
        return flag.parse().map_err(|_| SettingsError::new("--listen", ADDRESS));
    }
    let mut address: SocketAddr = texts.parse("listen", ADDRESS)?;
    if let Some(port) = port {
        let error = || SettingsError::new("listen", "the port must be a number from 0 to 65535");
        address.set_port(port.parse().map_err(|_| error().found_at(Some("from PORT".into())))?);
    }
    Ok(address)
}

/// Returns the number of workers: that of the setting, or else the number of processors that the process may use.
fn workers(texts: &Texts) -> Result<NonZeroUsize, SettingsError> {
    let set = texts.parse_optional("workers", AT_LEAST_1)?;
    Ok(set.unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::test_load::{load, load_with, problem};

    const SQLITE_PATH_PROBLEM: &str = "sqlite.path: must be the path of a file, such as livecounter.db: SQLite's :memory: and \
         file: are not meant here, and would each be the name of a file";
    const KEEP_ALIVE_PROBLEM: &str = "streams.keep_alive: must be whole seconds, from 1s to 55s";

    #[test]
    fn nothing_needs_to_be_set() {
        let settings = load(&[]).expect("defaults");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(settings.sqlite_path, Path::new("livecounter.db"));
        assert_eq!(settings.publish_interval, Duration::from_millis(250));
        assert_eq!(settings.streams_keep_alive, Duration::from_secs(20));
        assert_eq!(settings.cache_max_age, Duration::from_secs(600));
        assert_eq!(settings.commands_time, Duration::from_secs(10));
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
    fn an_unusable_setting_is_named() {
        for (environment, expected) in [
            (
                ("LIVECOUNTER__PUBLISH__INTERVALL", "1s"),
                "publish.intervall: no such setting; did you mean publish.interval?",
            ),
            (("LIVECOUNTER__MAX_AGE", "1s"), "max_age: no such setting; did you mean cache.max_age?"),
            (("LIVECOUNTER__KEEP_ALIVE", "1s"), "keep_alive: no such setting"),
            (("livecounter__Workres", "1"), "workres: no such setting; did you mean workers?"),
            (
                ("LIVECOUNTER__PUBLISH__INTERVAL", "soon"),
                "publish.interval: must be a duration like 250ms, 1s, 10m (minutes), 2h or 1d",
            ),
            (("LIVECOUNTER__PUBLISH__INTERVAL", "61m"), "publish.interval: must be at most 1h"),
            (
                ("LIVECOUNTER__CACHE__MAX_AGE", "1500ms"),
                "cache.max_age: must be whole seconds: caches know no others",
            ),
            (("LIVECOUNTER__STREAMS__KEEP_ALIVE", "0s"), KEEP_ALIVE_PROBLEM),
            (("LIVECOUNTER__STREAMS__KEEP_ALIVE", "1500ms"), KEEP_ALIVE_PROBLEM),
            (("LIVECOUNTER__STREAMS__KEEP_ALIVE", "56s"), KEEP_ALIVE_PROBLEM),
            (
                ("LIVECOUNTER__COUNTERS__KNOWN", ","),
                "counters.known: must name a counter: with an empty list all are 404",
            ),
            (
                ("GRIP_VERIFY_KEY", "hush"),
                "grip.verify_key: verifies the signatures of the proxies in grip.url: set GRIP_URL too",
            ),
            (("LIVECOUNTER__WORKERS", "0"), "workers: must be a whole number of at least 1"),
            (("PORT", "http"), "listen: the port must be a number from 0 to 65535"),
            (("LIVECOUNTER__FASTLY__SOFT_PURGE", "1"), "fastly.soft_purge: must be true or false"),
            (("LIVECOUNTER__LOG__FORMAT", "xml"), "log.format: must be text or json"),
            (
                ("LIVECOUNTER__COUNTERS__KNOWN", "1,a/b"),
                "counters.known: a counter id consists of A-Z a-z 0-9 . _ ~ -, character 2 is another",
            ),
            (("FASTLY_API_KEY", "hush"), "fastly.api_key: alone purges nothing: set FASTLY_SERVICE_ID too"),
            (("FASTLY_SERVICE_ID", "id"), "fastly.service_id: alone purges nothing: set FASTLY_API_KEY too"),
            (
                ("REDIS_URL", "redis://:hush@r"),
                "redis.url: makes the origin stateless, so its streams need a GRIP proxy: set GRIP_URL too",
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
            (("LIVECOUNTER__SQLITE__PATH", ":memory:"), SQLITE_PATH_PROBLEM),
            (("LIVECOUNTER__SQLITE__PATH", "file:x.db?mode=memory"), SQLITE_PATH_PROBLEM),
            (("LIVECOUNTER__GRIP__PREFIX", "eu-"), "grip.prefix: must end with : or /, as in eu:"),
            (
                ("LIVECOUNTER__GRIP__PREFIX", "eu:"),
                "grip.prefix: stands before a proxy's channels: set GRIP_URL too",
            ),
        ] {
            let (name, _) = environment;
            assert_eq!(problem(&[environment]), format!("{expected} (from {name})"));
        }
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
        assert_eq!(error.problem, "must be a single value, not a list");
        assert!(error.place.is_some_and(|place| place.starts_with("line 2 of ")));
    }

    #[test]
    fn an_unknown_section_is_refused_even_if_empty() {
        for (file, expected) in [
            ("[redsi]", "redsi: no such setting; did you mean redis? (line 1 of "),
            ("\n[redis.urls]", "redis.urls: no such setting; did you mean redis.url? (line 2 of "),
            ("[[redsi]]", "redsi: no such setting; did you mean redis? (line 1 of "),
            ("[elsewhere]\nx = 1", "elsewhere.x: no such setting (line 2 of "),
            ("[grip.url]", "grip.url: must be a value, not a section (line 1 of "),
            ("sqlite.path = \"\"", "sqlite.path: must be the path of a file, such as livecounter.db: "),
            ("sqlite.path = \"./:memory:\"\nx = 1", "x: no such setting (line 2 of "),
            ("counters.known = {}", "counters.known: must be a value, not a section (line 1 of "),
        ] {
            let error = load_with(Some(file), &[], None).expect_err("a refusal").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        load_with(Some("[redis]\n[counters]\n"), &[], None).expect("sections that there are");
    }

    #[test]
    fn an_empty_variable_overrides_nothing() {
        let environment =
            [("LIVECOUNTER__REDIS__URL", ""), ("REDIS_URL", "redis://r"), ("GRIP_URL", "http://p:5561/")];
        assert_eq!(load(&environment).expect("settings").redis_url, Some("redis://r".into()));
        assert!(
            problem(&[("REDIS_URL", "redis://r"), ("GRIP_URL", " ")])
                .starts_with("redis.url: makes the origin stateless")
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = load(&[("GRIP_URL", "http://p:5561/?key=hush")]).expect("settings");
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
