//! Checks that settings fit together and that durations lie within their bounds.

use std::time::Duration;

use super::Settings;
use super::error::SettingsError;
use crate::domain::{MAX_EVENT_BYTES, Retention};

/// The most events that a feed may keep: a listener that returns gets all of them in one answer.
const MOST_EVENTS: u32 = 10_000;
/// The greatest length of the events that a feed may keep, in bytes, for the same reason.
const MOST_EVENT_BYTES: u64 = 1 << 20;

/// Refuses settings that do not fit together or lie outside of their bounds.
pub(super) fn check(settings: &Settings) -> Result<(), SettingsError> {
    check_store(settings)?;
    check_verify_key(settings)?;
    check_fastly(settings)?;
    check_ops_listen(settings)?;
    check_grip_prefix(settings)?;
    check_history(settings)?;
    check_feeds(settings)?;
    check_durations(settings)
}

fn check_store(settings: &Settings) -> Result<(), SettingsError> {
    if settings.redis_url.is_some() && settings.grip_url.is_none() {
        let problem = "makes the origin stateless, so its streams need a GRIP proxy: set GRIP_URL too";
        return Err(SettingsError::new("redis.url", problem));
    }
    let path = settings.sqlite_path.to_string_lossy();
    if path.is_empty() || path == ":memory:" || path.starts_with("file:") {
        let problem = "must be the path of a file, such as livecounter.db: SQLite's :memory: and file: are not meant here, \
                       and would each be the name of a file";
        return Err(SettingsError::new("sqlite.path", problem));
    }
    if settings.redis_url.is_none() && settings.redis_wait_replicas > 0 {
        return Err(SettingsError::new("redis.wait_replicas", "only a Redis has replicas: set REDIS_URL"));
    }
    Ok(())
}

fn check_verify_key(settings: &Settings) -> Result<(), SettingsError> {
    if settings.grip_verify_key.is_some() && settings.grip_url.is_none() {
        let problem = "verifies the signatures of the proxies in grip.url: set GRIP_URL too";
        return Err(SettingsError::new("grip.verify_key", problem));
    }
    Ok(())
}

fn check_fastly(settings: &Settings) -> Result<(), SettingsError> {
    let (set, missing) = match (&settings.fastly_service_id, &settings.fastly_api_key) {
        (Some(_), None) => ("fastly.service_id", "FASTLY_API_KEY"),
        (None, Some(_)) => ("fastly.api_key", "FASTLY_SERVICE_ID"),
        _ => return Ok(()),
    };
    Err(SettingsError::new(set, format_args!("alone purges nothing: set {missing} too")))
}

fn check_ops_listen(settings: &Settings) -> Result<(), SettingsError> {
    if settings.ops_listen.is_some_and(|ops| ops == settings.listen && ops.port() != 0) {
        return Err(SettingsError::new("ops.listen", "must be another address than listen"));
    }
    Ok(())
}

fn check_grip_prefix(settings: &Settings) -> Result<(), SettingsError> {
    let prefix = &settings.grip_prefix;
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~' | b':' | b'/');
    if !prefix.bytes().all(safe) {
        return Err(SettingsError::new("grip.prefix", "consists of A-Z a-z 0-9 . _ - ~ : /"));
    }
    // The prefix of one service must not be the beginning of another service's prefix: "eu" is the beginning of "eu2", but "eu:" is not.
    if !prefix.is_empty() && !prefix.ends_with([':', '/']) {
        return Err(SettingsError::new("grip.prefix", "must end with : or /, as in eu:"));
    }
    if !prefix.is_empty() && settings.grip_url.is_none() {
        return Err(SettingsError::new("grip.prefix", "stands before a proxy's channels: set GRIP_URL too"));
    }
    Ok(())
}

fn check_history(settings: &Settings) -> Result<(), SettingsError> {
    let Retention { hours, days, .. } = settings.history;
    if hours.saturating_add(days) > Retention::MOST {
        let problem = format_args!("with history.days must be at most {} together", Retention::MOST);
        return Err(SettingsError::new("history.hours", problem));
    }
    Ok(())
}

fn check_feeds(settings: &Settings) -> Result<(), SettingsError> {
    let feeds = settings.history.feeds;
    if !(1..=MOST_EVENTS).contains(&feeds.events) {
        let problem = format_args!("must be between 1 and {MOST_EVENTS}");
        return Err(SettingsError::new("feeds.events", problem));
    }
    let bytes = MAX_EVENT_BYTES as u64..=MOST_EVENT_BYTES;
    if !bytes.contains(&feeds.bytes) {
        let problem = format_args!("must be between {} and {} (bytes)", bytes.start(), bytes.end());
        return Err(SettingsError::new("feeds.bytes", problem));
    }
    if feeds.age < Duration::from_secs(1) {
        return Err(SettingsError::new("feeds.age", "must be at least 1s"));
    }
    Ok(())
}

fn check_durations(settings: &Settings) -> Result<(), SettingsError> {
    if !(Duration::from_millis(1)..=Duration::from_secs(10)).contains(&settings.redis_wait_timeout) {
        return Err(SettingsError::new("redis.wait_timeout", "must be between 1ms and 10s"));
    }
    if !(Duration::from_millis(1)..=Duration::from_secs(60)).contains(&settings.commands_time) {
        return Err(SettingsError::new("commands.time", "must be between 1ms and 60s"));
    }
    if settings.publish_interval > Duration::from_secs(3600) {
        return Err(SettingsError::new("publish.interval", "must be at most 1h"));
    }
    if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&settings.connections_keep_alive) {
        return Err(SettingsError::new("connections.keep_alive", "must be between 1s and 1h"));
    }
    // Pushpin counts whole seconds, and load balancers cut off a connection that is silent for a minute.
    let keep_alive = settings.streams_keep_alive;
    if keep_alive.subsec_nanos() != 0 || !(1..=55).contains(&keep_alive.as_secs()) {
        return Err(SettingsError::new("streams.keep_alive", "must be whole seconds, from 1s to 55s"));
    }
    for (key, time) in
        [("cache.max_age", settings.cache_max_age), ("cache.stale_if_error", settings.cache_stale_if_error)]
    {
        if time.subsec_nanos() != 0 {
            return Err(SettingsError::new(key, "must be whole seconds: caches know no others"));
        }
    }
    Ok(())
}
