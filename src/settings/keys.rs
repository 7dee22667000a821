//! The keys of the settings with their defaults, and the variables that stand for them.

use super::error::SettingsError;
use crate::nearest::nearest;

/// The keys with their defaults; an empty text means that the key has no default.
pub(super) const KEYS: &[(&str, &str)] = &[
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
    ("commands.time", "10s"),
    ("counters.known", ""),
    ("feeds.age", "7d"),
    ("feeds.bytes", "262144"),
    ("feeds.events", "1000"),
    ("history.days", "60"),
    ("history.hours", "48"),
    ("hits.allow", ""),
    ("hits.bots", ""),
    ("hits.deny", ""),
    ("hits.enabled", "true"),
    ("hits.top_ignore", ""),
    ("hits.top_pages", "10"),
    ("hits.top_sites", "10"),
    ("hits.uniques", "false"),
    ("hits.window", "60s"),
    ("hits.window_without_cookies", "false"),
    ("home.analytics", ""),
    ("access.amounts", "-1000..1000"),
    ("access.ticket_key", ""),
    ("access.write", "anyone"),
    ("admin.public", "false"),
    ("admin.tally", ""),
    ("compat.busuanzi", ""),
    ("compat.countapi", ""),
    ("compat.dwyl", ""),
    ("compat.komarev", ""),
    ("compat.seeyoufarm", ""),
    ("compat.visitor_badge", ""),
    ("keys", ""),
    ("limits.new_topics", ""),
    ("limits.streams", ""),
    ("limits.topics", ""),
    ("limits.writes", ""),
    ("public", ""),
    ("trusted_proxies", ""),
    ("log.format", "text"),
    ("ops.listen", ""),
];

/// The keys whose value may be a list.
pub(super) const LIST_KEYS: [&str; 15] = [
    "access.write",
    "compat.busuanzi",
    "compat.countapi",
    "compat.dwyl",
    "compat.komarev",
    "compat.seeyoufarm",
    "compat.visitor_badge",
    "counters.known",
    "hits.allow",
    "hits.bots",
    "hits.deny",
    "hits.top_ignore",
    "keys",
    "public",
    "trusted_proxies",
];

/// The keys whose values are secrets, or allow to act as an administrator.
pub(super) const SECRET_KEYS: [&str; 6] =
    ["access.ticket_key", "keys", "redis.url", "grip.url", "grip.verify_key", "fastly.api_key"];

/// Names of variables that operators already know, with the keys that they set. If `LIVECOUNTER__…` sets the same key, that variable wins.
pub(super) const KNOWN_NAMES: [(&str, &str); 5] = [
    ("REDIS_URL", "redis.url"),
    ("GRIP_URL", "grip.url"),
    ("GRIP_VERIFY_KEY", "grip.verify_key"),
    ("FASTLY_API_KEY", "fastly.api_key"),
    ("FASTLY_SERVICE_ID", "fastly.service_id"),
];

/// Names of variables that set no key: `PORT` sets a part of `listen`, and `RUST_LOG` selects the log lines.
pub(super) const OTHER_NAMES: [&str; 2] = ["PORT", "RUST_LOG"];

/// Returns the name of a key's variable: `LIVECOUNTER__SECTION__KEY` for `section.key`.
pub(super) fn env_name(key: &str) -> String {
    format!("LIVECOUNTER__{}", key.replace('.', "__").to_uppercase())
}

/// Returns the key that a variable with the prefix `LIVECOUNTER__` names; `None` if the variable lacks the prefix.
pub(super) fn key_of(name: &str) -> Option<String> {
    Some(name.to_lowercase().strip_prefix("livecounter__")?.replace("__", "."))
}

/// Returns whether the path names a section, such as `redis`.
pub(super) fn is_section(path: &str) -> bool {
    KEYS.iter().any(|(key, _)| key.split_once('.').is_some_and(|(section, _)| section == path))
}

/// Makes the error for an unknown key. The error names the most similar setting or section, or else the only setting whose last part is the
/// same.
pub(super) fn no_such_setting(key: &str) -> SettingsError {
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
