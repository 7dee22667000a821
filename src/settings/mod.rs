//! The settings come from the defaults, the file, the environment and the flags; a later source wins. Each setting is parsed once, here. A
//! setting that cannot be used is refused with one line that names its key and the place where it was found.

mod access;
mod check;
mod compat;
mod environment;
mod error;
mod hits;
mod home;
mod keys;
mod limits;
mod load;
mod log_format;
mod retention;
mod secret;
mod sources;
#[cfg(test)]
mod test_load;
mod texts;
mod tree;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::access::{AccessOptions, RouteKey};
use crate::compat::CompatHosts;
use crate::domain::{CounterId, Retention};
use crate::hits::HitRules;
use crate::limits::Options as LimitOptions;
use sources::Sources;

pub use environment::environment;
pub use error::SettingsError;
pub use log_format::LogFormat;
pub use secret::Secret;

/// All settings. `docs/configuration.md` documents each of them.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // the table in the documentation is the one place that describes them
pub struct Settings {
    pub listen: SocketAddr,
    pub workers: NonZeroUsize,
    pub connections_keep_alive: Duration,
    pub connections_max: Option<NonZeroUsize>,
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
    pub streams_keep_alive: Duration,
    pub cache_max_age: Duration,
    pub cache_stale_if_error: Duration,
    pub commands_time: Duration,
    pub counters_known: Option<Vec<CounterId>>,
    pub history: Retention,
    pub hits: Option<HitRules>,
    pub home_analytics: Option<RouteKey>,
    pub compat: CompatHosts,
    pub access: AccessOptions,
    pub access_ticket_key: Option<Secret>,
    pub admin_public: bool,
    pub admin_tally: Option<bool>,
    pub limits: LimitOptions,
    pub log_format: LogFormat,
    pub ops_listen: Option<SocketAddr>,
    sources: Sources,
}
