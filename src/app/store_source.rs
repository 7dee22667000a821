//! The parts that the settings ask for.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::fastly::{Purger, PurgerError, PurgerSettings};
use crate::grip::{self, Endpoint, Publisher, PublisherOptions, Verifier};
use crate::jwt::VerifyKey;
use crate::settings::{Settings, SettingsError};
use crate::store::Store;
use crate::store::redis::{RedisStore, Wait};
use crate::store::sqlite::SqliteStore;

/// How long one Redis round trip may take before its callers are told 503.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// How soon it is tried again to bring what is in Redis to this version, and which failure an operator is told of.
const MIGRATE_AGAIN: Duration = Duration::from_secs(2);
const MIGRATE_SAID: u64 = 5;
/// How long the workers' threads may take to let go of the store when the service stops.
const RELEASE_WITHIN: Duration = Duration::from_secs(2);

/// Where connections to the store come from.
#[derive(Clone)]
pub(super) enum StoreKind {
    /// One file, shared by all workers.
    Sqlite(Arc<SqliteStore>),
    /// A connection for each worker: 1.3 times as fast as a shared one.
    Redis(String, Option<Wait>),
}

impl StoreKind {
    pub(super) fn open(settings: &Settings) -> Result<Self, SettingsError> {
        match &settings.redis_url {
            Some(url) => {
                StoreKind::check(settings)?;
                let within = settings.redis_wait_timeout;
                let wait =
                    NonZeroU32::new(settings.redis_wait_replicas).map(|replicas| Wait { replicas, within });
                Ok(StoreKind::Redis(url.expose().to_owned(), wait))
            }
            None => SqliteStore::open(&settings.sqlite_path)
                .map(|store| StoreKind::Sqlite(Arc::new(store)))
                .map_err(|error| SettingsError::new("sqlite.path", error)),
        }
    }

    /// Refuses what [`open`](Self::open) would refuse without opening anything; once, rather than in every worker.
    pub(super) fn check(settings: &Settings) -> Result<(), SettingsError> {
        if let Some(url) = &settings.redis_url {
            RedisStore::connect(url.expose(), STORE_TIMEOUT)
                .map_err(|error| SettingsError::new("redis.url", error))?;
        }
        Ok(())
    }

    /// Brings what an older version wrote to Redis to this one, whenever Redis can be reached. A file has been brought when
    /// it was opened. Must be called within a tokio runtime.
    pub(super) fn migrate_in_background(&self) {
        let StoreKind::Redis(url, _) = self else { return };
        let Ok(store) = RedisStore::connect(url, STORE_TIMEOUT) else { return };
        tokio::spawn(async move {
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
                    // That Redis is away, or of a newer version, is said by whoever needs the store. A right may be missing.
                    Err(error) if attempt == MIGRATE_SAID => tracing::warn!(
                        "what an older version wrote to Redis is not counted yet, and tried again: {error}"
                    ),
                    Err(error) => tracing::debug!("Redis is not migrated yet: {error}"),
                }
            }
        });
    }

    /// Waits until nobody else has the file, then closes it: only then another process may open it.
    pub(super) async fn close(self) {
        let StoreKind::Sqlite(store) = self else { return };
        let mut look = tokio::time::interval(Duration::from_millis(5));
        let released = async {
            while Arc::strong_count(&store) > 1 {
                look.tick().await;
            }
        };
        let _ = tokio::time::timeout(RELEASE_WITHIN, released).await; // the end of the process closes it, too
    }

    pub(super) fn open_connection(&self) -> Arc<dyn Store> {
        match self {
            StoreKind::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            StoreKind::Redis(url, wait) => {
                let store = match wait {
                    Some(wait) => RedisStore::connect_and_wait(url, STORE_TIMEOUT, *wait),
                    None => RedisStore::connect(url, STORE_TIMEOUT),
                };
                match store {
                    Ok(store) => Arc::new(store),
                    Err(_) => unreachable!("the URL was accepted in `open`, and connecting does no I/O"),
                }
            }
        }
    }
}

/// The GRIP proxies, each with a key to verify its signature where one is set.
pub(super) fn endpoints(settings: &Settings) -> Result<Vec<Endpoint>, SettingsError> {
    let Some(urls) = &settings.grip_url else { return Ok(Vec::new()) };
    let mut endpoints =
        grip::endpoints_from(urls.expose()).map_err(|error| SettingsError::new("grip.url", error))?;
    if let Some(key) = &settings.grip_verify_key {
        let key: VerifyKey =
            key.expose().parse().map_err(|error| SettingsError::new("grip.verify_key", error))?;
        endpoints = endpoints.into_iter().map(|e| e.with_default_verify_key(key.clone())).collect();
    }
    if let Some(at) = endpoints.iter().position(|e| e.verify_iss().is_some() && e.verify_key().is_none()) {
        let problem = "has the parameter verify-iss but no key to verify with: set GRIP_VERIFY_KEY";
        return Err(SettingsError::new("grip.url", format_args!("address {} {problem}", at + 1)));
    }
    Ok(endpoints)
}

/// What tells a proxy's requests from others, where there is a proxy.
pub(super) fn verifier(endpoints: &[Endpoint]) -> Option<Arc<Verifier>> {
    let verifier = (!endpoints.is_empty()).then(|| Arc::new(Verifier::new(endpoints)))?;
    if verifier.trusts_any() {
        tracing::warn!("a proxy in GRIP_URL has no verify key: whoever sends a Grip-Sig is taken for it");
    }
    Some(verifier)
}

/// Says that strangers may take all that there is, where they can reach the service.
pub(super) fn warn_of_missing_limits(settings: &Settings, address: SocketAddr) {
    if settings.limits.are_off() && !address.ip().to_canonical().is_loopback() {
        tracing::warn!(
            "listening on {address}, which is not a loopback address, with no limit on what one client may take: \
             see docs/your-site.md"
        );
    }
}

/// The publisher, where there is a proxy.
pub(super) fn publisher(
    settings: &Settings,
    endpoints: &[Endpoint],
) -> Result<Option<Arc<Publisher>>, SettingsError> {
    if endpoints.is_empty() {
        return Ok(None);
    }
    let options = PublisherOptions { merge: !settings.publish_interval.is_zero(), ..Default::default() };
    let publisher =
        Publisher::new(endpoints, &options).map_err(|error| SettingsError::new("grip.url", error))?;
    Ok(Some(Arc::new(publisher)))
}

/// The purger, where purging is on.
pub(super) fn purger(settings: &Settings) -> Result<Option<Purger>, SettingsError> {
    // Even where it is off: who switches it on later should not meet this mistake then.
    PurgerSettings::parse_api_url(&settings.fastly_api_url)
        .map_err(|error| SettingsError::new("fastly.api_url", error))?;
    let (Some(service_id), Some(api_key)) = (&settings.fastly_service_id, &settings.fastly_api_key) else {
        return Ok(None);
    };
    let mut purger = PurgerSettings::new(service_id, api_key.expose());
    purger.api_url.clone_from(&settings.fastly_api_url);
    purger.soft = settings.fastly_soft_purge;
    Purger::new(purger).map(Some).map_err(|error| {
        let key = match error {
            PurgerError::ServiceId => "fastly.service_id",
            PurgerError::ApiKey => "fastly.api_key",
            PurgerError::Url | PurgerError::Client(_) => "fastly.api_url",
        };
        SettingsError::new(key, error)
    })
}
