//! Opens the store that the settings name, and connections to the store.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::Retention;
use crate::settings::{Settings, SettingsError};
use crate::store::Store;
use crate::store::redis::{DirectCounters, RedisStore, Wait};
use crate::store::sqlite::SqliteStore;

/// The longest time that a Redis round trip may take. If it takes longer, its callers get 503.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// The time between two attempts to migrate the topics in Redis.
const MIGRATE_AGAIN: Duration = Duration::from_secs(2);
/// The number of the failed attempt that is logged as a warning.
const MIGRATE_WARN_AT: u64 = 5;
/// The longest time that a stopping service waits for its workers to drop their connections to the store.
const RELEASE_WITHIN: Duration = Duration::from_secs(2);

/// The source of connections to the store.
#[derive(Clone)]
pub(super) enum StoreSource {
    /// One file, shared by all workers.
    Sqlite(Arc<SqliteStore>),
    /// The URL of Redis, how long a change waits for replicas, how much history is kept, and what its connections share. Each worker opens a connection of
    /// its own, which is 1.3 times as fast as a shared one.
    Redis(String, Option<Wait>, Retention, DirectCounters),
}

impl StoreSource {
    /// Opens the file, or checks the URL of Redis.
    pub(super) fn open(settings: &Settings) -> Result<Self, SettingsError> {
        match &settings.redis_url {
            Some(url) => {
                StoreSource::check(settings)?;
                let within = settings.redis_wait_timeout;
                let wait =
                    NonZeroU32::new(settings.redis_wait_replicas).map(|replicas| Wait { replicas, within });
                let url = url.expose().to_owned();
                Ok(StoreSource::Redis(url, wait, settings.history, DirectCounters::default()))
            }
            None => SqliteStore::open_with(&settings.sqlite_path, settings.history)
                .map(|store| StoreSource::Sqlite(Arc::new(store)))
                .map_err(|error| SettingsError::new("sqlite.path", error)),
        }
    }

    /// Refuses a file that does not exist. A command that needs what is in the file must ask before [`open`](Self::open), which creates
    /// the file.
    pub(super) fn find_file(settings: &Settings) -> Result<(), SettingsError> {
        let found = std::fs::metadata(&settings.sqlite_path);
        if settings.redis_url.is_some() || found.is_ok_and(|found| found.is_file()) {
            return Ok(());
        }
        let path = std::path::absolute(&settings.sqlite_path).unwrap_or_default();
        let problem = format!(
            "there is no file {}: run the command in the directory of the service, or with its settings (--config)",
            path.display()
        );
        Err(SettingsError::new("sqlite.path", problem))
    }

    /// Refuses a Redis URL that cannot be used, so that there is one error and not one for each worker. Opens nothing.
    pub(super) fn check(settings: &Settings) -> Result<(), SettingsError> {
        if let Some(url) = &settings.redis_url {
            RedisStore::connect(url.expose(), STORE_TIMEOUT)
                .map_err(|error| SettingsError::new("redis.url", error))?;
        }
        Ok(())
    }

    /// Starts a task that migrates the topics that an older version wrote to Redis, as soon as Redis can be reached, and then warns of a Redis that
    /// may lose keys. A file needs neither here, because opening the file has migrated it. Must be called within a tokio runtime.
    pub(super) fn prepare_in_background(&self) {
        if let StoreSource::Redis(url, ..) = self
            && let Ok(store) = RedisStore::connect(url, STORE_TIMEOUT)
        {
            tokio::spawn(async move {
                migrate(&store).await;
                warn_of_eviction(&store).await;
            });
        }
    }

    /// Waits until no worker has a connection to the file any more, then closes the file. Another process can open the file only after
    /// that.
    pub(super) async fn close(self) {
        let StoreSource::Sqlite(store) = self else { return };
        let mut look = tokio::time::interval(Duration::from_millis(5));
        let released = async {
            while Arc::strong_count(&store) > 1 {
                look.tick().await;
            }
        };
        // If a worker takes longer, the end of the process closes the file.
        let _ = tokio::time::timeout(RELEASE_WITHIN, released).await;
    }

    /// Returns a connection for one worker or for the announcer. For a file, all callers get the same connection.
    pub(super) fn open_connection(&self) -> Arc<dyn Store> {
        match self {
            StoreSource::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            StoreSource::Redis(url, wait, retention, direct) => {
                let store = match wait {
                    Some(wait) => RedisStore::connect_and_wait(url, STORE_TIMEOUT, *wait),
                    None => RedisStore::connect(url, STORE_TIMEOUT),
                };
                match store {
                    Ok(store) => Arc::new(store.with_retention(*retention).with_direct_counters(direct)),
                    Err(_) => unreachable!("the URL was accepted in `open`, and connecting does no I/O"),
                }
            }
        }
    }
}

/// Tries to migrate the topics in Redis until the migration succeeds.
async fn migrate(store: &RedisStore) {
    let mut again = tokio::time::interval(MIGRATE_AGAIN);
    for attempt in 1_u64.. {
        again.tick().await;
        match store.migrate().await {
            Ok(0) => return,
            Ok(topics) => {
                return tracing::info!(
                    "{topics} topics in Redis, which an older version wrote, are counted now"
                );
            }
            // If Redis cannot be reached or has the data of a newer version, the requests that need the store log this. The warning here is
            // for a missing permission in Redis.
            Err(error) if attempt == MIGRATE_WARN_AT => tracing::warn!(
                "what an older version wrote to Redis is not counted yet, and tried again: {error}"
            ),
            Err(error) => tracing::debug!("Redis is not migrated yet: {error}"),
        }
    }
}

/// Logs a warning if Redis would remove keys by itself when its memory is full.
async fn warn_of_eviction(store: &RedisStore) {
    match store.evicting_policies().await {
        Ok(policies) if policies.is_empty() => {}
        Ok(policies) => tracing::warn!(
            "Redis removes keys when its memory is full (maxmemory-policy {}), so counters, or what tells repeated requests, can vanish: set \
             maxmemory-policy noeviction (docs/deploy.md#redis)",
            policies.join(", ")
        ),
        Err(error) => tracing::debug!("Redis does not tell its maxmemory-policy: {error}"),
    }
}
