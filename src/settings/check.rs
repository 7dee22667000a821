//! What each setting may be alone, and which of them fit together.

use std::time::Duration;

use super::{Settings, SettingsError};

impl Settings {
    /// Refuses what fits no way of running.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if self.redis_url.is_some() && self.grip_url.is_none() {
            let problem =
                "REDIS_URL makes the origin stateless, so its streams need a GRIP proxy: set GRIP_URL too";
            return Err(SettingsError::new("grip.url", problem));
        }
        let path = self.sqlite_path.to_string_lossy();
        if path.is_empty() || path == ":memory:" || path.starts_with("file:") {
            let problem = "must be the path of a file, such as livecounter.db: SQLite's :memory: and file: are not meant here, \
                           and would each be the name of a file";
            return Err(SettingsError::new("sqlite.path", problem));
        }
        if self.redis_url.is_none() && self.redis_wait_replicas > 0 {
            return Err(SettingsError::new(
                "redis.wait_replicas",
                "only a Redis has replicas: set REDIS_URL",
            ));
        }
        if self.grip_verify_key.is_some() && self.grip_url.is_none() {
            let problem = "verifies the signatures of the proxies in grip.url: set GRIP_URL too";
            return Err(SettingsError::new("grip.verify_key", problem));
        }
        if self.fastly_service_id.is_some() != self.fastly_api_key.is_some() {
            let missing = if self.fastly_api_key.is_none() { "fastly.api_key" } else { "fastly.service_id" };
            return Err(SettingsError::new(
                missing,
                "purging needs both fastly.service_id and fastly.api_key",
            ));
        }
        if self.ops_listen.is_some_and(|ops| ops == self.listen && ops.port() != 0) {
            return Err(SettingsError::new("ops.listen", "must be another address than listen"));
        }
        let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~' | b':' | b'/');
        if !self.grip_prefix.bytes().all(safe) {
            return Err(SettingsError::new("grip.prefix", "consists of A-Z a-z 0-9 . _ - ~ : /"));
        }
        // So that no service's channels begin with another's prefix: "eu" is the beginning of "eu2", "eu:" is not.
        if !self.grip_prefix.is_empty() && !self.grip_prefix.ends_with([':', '/']) {
            return Err(SettingsError::new("grip.prefix", "must end with : or /, as in eu:"));
        }
        if !self.grip_prefix.is_empty() && self.grip_url.is_none() {
            return Err(SettingsError::new(
                "grip.prefix",
                "stands before a proxy's channels: set GRIP_URL too",
            ));
        }
        Ok(())
    }

    pub(super) fn check_durations(&self) -> Result<(), SettingsError> {
        if !(Duration::from_millis(1)..=Duration::from_secs(10)).contains(&self.redis_wait_timeout) {
            return Err(SettingsError::new("redis.wait_timeout", "must be between 1ms and 10s"));
        }
        if self.publish_interval > Duration::from_secs(3600) {
            return Err(SettingsError::new("publish.interval", "must be at most 1h"));
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&self.connections_keep_alive) {
            return Err(SettingsError::new("connections.keep_alive", "must be between 1s and 1h"));
        }
        // Whole seconds, as Pushpin counts in them; less than a minute, after which balancers cut off what is silent.
        let keep_alive = self.streams_keep_alive;
        if keep_alive.subsec_nanos() != 0 || !(1..=55).contains(&keep_alive.as_secs()) {
            return Err(SettingsError::new("streams.keep_alive", "must be whole seconds, from 1s to 55s"));
        }
        for (key, time) in
            [("cache.max_age", self.cache_max_age), ("cache.stale_if_error", self.cache_stale_if_error)]
        {
            if time.subsec_nanos() != 0 {
                return Err(SettingsError::new(key, "must be whole seconds: caches know no others"));
            }
        }
        Ok(())
    }
}
