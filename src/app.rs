//! The whole: builds every part from the settings and runs them. The only module that knows all of them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::Data;
use actix_web::{App as ActixApp, HttpServer};

use crate::announcer::{Announcer, Outlets, Running};
use crate::fastly::{Purger, PurgerError, PurgerSettings};
use crate::grip::{self, Endpoint, Publisher, PublisherOptions, Verifier, VerifyKey};
use crate::http::{CacheTerms, Context, Metrics, Shared, routes};
use crate::hub::Hub;
use crate::live::Live;
use crate::settings::{Settings, SettingsError};
use crate::store::Store;
use crate::store::redis::{RedisStore, Wait};
use crate::store::sqlite::SqliteStore;

/// How long one Redis round trip may take before its callers are told 503.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client may take nothing of what it is sent before the system cuts it off: one that has stopped reading, and
/// whose buffers are full, or one that has gone without a word. Such a stream would else be held for a quarter of an
/// hour, or for ever.
#[cfg(target_os = "linux")]
const STUCK_FOR: Duration = Duration::from_secs(20);
/// How long requests under way may take to finish when the service stops, in seconds.
const FINISH_WITHIN: u64 = 10;
/// How long the workers' threads may take to let go of the store when the service stops.
const RELEASE_WITHIN: Duration = Duration::from_secs(2);
/// How long the announcements that are pending may take to get out when the service stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The address could not be listened on.
    #[error("listen: {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
}

/// The service, listening but not yet serving.
pub struct App {
    server: Server,
    address: SocketAddr,
    hub: Option<Arc<Hub>>,
    announcer: Running,
    store: StoreKind,
}

impl App {
    /// Opens the store, listens on the address and starts the announcer. Must be called within a tokio runtime.
    pub fn build(settings: &Settings) -> Result<Self, StartError> {
        let store = StoreKind::open(settings)?;
        let endpoints = endpoints(settings)?;
        let verifier = (!endpoints.is_empty()).then(|| Arc::new(Verifier::new(&endpoints)));
        if verifier.as_ref().is_some_and(|verifier| verifier.trusts_any()) {
            tracing::warn!("a proxy in GRIP_URL has no verify key: whoever sends a Grip-Sig is taken for it");
        }
        let options = PublisherOptions { merge: !settings.publish_interval.is_zero(), ..Default::default() };
        let publisher = match endpoints.as_slice() {
            [] => None,
            some => Some(Arc::new(
                Publisher::new(some, &options).map_err(|error| SettingsError::new("grip.url", error))?,
            )),
        };
        let hub = settings.redis_url.is_none().then(Arc::<Hub>::default);
        let (listener, address) =
            listen(settings.listen).map_err(|e| StartError::Listen(settings.listen, e))?;

        let outlets = Outlets {
            hub: hub.clone(),
            publisher: publisher.clone(),
            prefix: settings.grip_prefix.clone(),
            purger: purger(settings)?,
        };
        let running = Announcer::start(store.open_connection(), outlets, settings.publish_interval);
        let announcer = running.announcer().clone();
        let shared = Arc::new(Shared {
            verifier: verifier.clone(),
            prefix: settings.grip_prefix.clone(),
            cache: CacheTerms::new(settings.cache_max_age, settings.cache_stale_if_error),
            known: settings.counters_known.clone().map(|ids| ids.into_iter().collect()),
            metrics: Metrics::new(announcer.clone(), publisher, hub.clone(), verifier),
        });
        let (of_workers, of_app) = (store.clone(), hub.clone());
        let server = HttpServer::new(move || {
            // Once per worker, in its thread: each has its own connection to the store.
            let live = Live::new(of_workers.open_connection(), announcer.clone());
            let context = Context {
                live,
                streams: hub.as_ref().map(|hub| hub.branch()),
                announcer: announcer.clone(),
                shared: Arc::clone(&shared),
            };
            let requests = Arc::clone(&shared.metrics.requests);
            ActixApp::new().app_data(Data::new(context)).configure(|config| routes(config, &requests))
        })
        .workers(settings.workers.get())
        // A client that has closed its side has left: its stream must not linger until the next write.
        .h1_allow_half_closed(false)
        .shutdown_timeout(FINISH_WITHIN)
        .disable_signals()
        .listen(listener)
        .map_err(|e| StartError::Listen(address, e))?
        .run();
        Ok(App { server, address, hub: of_app, announcer: running, store })
    }

    /// Where the service listens; the port is the one the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handle that stops the service from elsewhere; see [`Stop::now`].
    pub fn stop_handle(&self) -> Stop {
        Stop { server: self.server.handle(), hub: self.hub.clone() }
    }

    /// Serves until stopped; then announces what is pending and closes the store. Returns whether all of it got out.
    pub async fn run(self) -> io::Result<bool> {
        self.server.await?;
        let all_out = self.announcer.drain(DRAIN_WITHIN).await;
        self.store.close().await;
        Ok(all_out)
    }
}

/// Listens. Accepted connections inherit the socket's options.
fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(&listener, STUCK_FOR.as_millis() as u32)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Stops the service.
#[derive(Clone)]
pub struct Stop {
    server: ServerHandle,
    hub: Option<Arc<Hub>>,
}

impl Stop {
    /// Stops accepting, ends the streams held here, lets requests finish. Resolves when that is done;
    /// [`App::run`] returns after the announcements.
    pub async fn now(&self) {
        if let Some(hub) = &self.hub {
            hub.close();
        }
        self.server.stop(true).await;
    }
}

/// Where connections to the store come from.
#[derive(Clone)]
enum StoreKind {
    /// One file, shared by all workers.
    Sqlite(Arc<SqliteStore>),
    /// A connection for each worker: 1.3 times as fast as a shared one.
    Redis(String, Option<Wait>),
}

impl StoreKind {
    fn open(settings: &Settings) -> Result<Self, SettingsError> {
        match &settings.redis_url {
            Some(url) => {
                let within = settings.redis_wait_timeout;
                let wait =
                    NonZeroU32::new(settings.redis_wait_replicas).map(|replicas| Wait { replicas, within });
                // Refused here, once, rather than in every worker.
                RedisStore::connect(url.expose(), STORE_TIMEOUT)
                    .map_err(|error| SettingsError::new("redis.url", error))?;
                Ok(StoreKind::Redis(url.expose().to_owned(), wait))
            }
            None => SqliteStore::open(&settings.sqlite_path)
                .map(|store| StoreKind::Sqlite(Arc::new(store)))
                .map_err(|error| SettingsError::new("sqlite.path", error)),
        }
    }

    /// Waits until nobody else has the file, then closes it: only then another process may open it.
    async fn close(self) {
        let StoreKind::Sqlite(store) = self else { return };
        let mut look = tokio::time::interval(Duration::from_millis(5));
        let released = async {
            while Arc::strong_count(&store) > 1 {
                look.tick().await;
            }
        };
        let _ = tokio::time::timeout(RELEASE_WITHIN, released).await; // the end of the process closes it, too
    }

    fn open_connection(&self) -> Arc<dyn Store> {
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
fn endpoints(settings: &Settings) -> Result<Vec<Endpoint>, SettingsError> {
    let Some(urls) = &settings.grip_url else { return Ok(Vec::new()) };
    let mut endpoints =
        grip::endpoints_from(urls.expose()).map_err(|error| SettingsError::new("grip.url", error))?;
    if let Some(key) = &settings.grip_verify_key {
        let key: VerifyKey =
            key.expose().parse().map_err(|error| SettingsError::new("grip.verify_key", error))?;
        endpoints = endpoints.into_iter().map(|e| e.with_default_verify_key(key.clone())).collect();
    }
    Ok(endpoints)
}

/// The purger, where purging is on.
fn purger(settings: &Settings) -> Result<Option<Purger>, SettingsError> {
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
