//! The whole: builds every part from the settings and runs them. The only module that knows all of them.

mod checked;
mod mode;
mod parts;
mod prune;
mod server;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use actix_server::{Server, ServerHandle};
use actix_web::web::{Data, ServiceConfig};
use tokio::sync::Semaphore;

use crate::announcer::{Announcer, Outlets, Running};
use crate::http::{CacheTerms, HomePage, Metrics, SharedContext, WorkerContext, ops_routes, routes};
use crate::hub::{Hub, WorkerListeners};
use crate::limits::{self, Limits};
use crate::live::Live;
use crate::settings::{Settings, SettingsError};
use checked::Checked;
pub use checked::check;
use parts::{StoreKind, verifier};
pub use prune::{Day, ParseDayError, PruneError, prune};
use server::{Terms, listen, serve};

/// How long the announcements that are pending may take to get out when the service stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// Connections at a time for operators.
const OPS_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The address could not be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
}

impl StartError {
    /// The same, with the place where the setting was found.
    fn located(self, settings: &Settings) -> Self {
        match self {
            StartError::Settings(error) => StartError::Settings(settings.locate(error)),
            other => other,
        }
    }
}

/// The service, listening but not yet serving.
pub struct App {
    server: Server,
    address: SocketAddr,
    /// The listener for operators, where there is one: it serves even where strangers have taken all connections.
    ops: Option<(Server, SocketAddr)>,
    mode: String,
    hub: Option<Arc<Hub>>,
    announcer: Running,
    store: StoreKind,
}

impl App {
    /// Opens the store, listens on the address and starts the announcer. Must be called within a tokio runtime.
    pub fn build(settings: &Settings) -> Result<Self, StartError> {
        App::of(settings).map_err(|error| error.located(settings))
    }

    fn of(settings: &Settings) -> Result<Self, StartError> {
        let Checked { endpoints, publisher, purger, capacity } = Checked::of(settings)?;
        // Last: settings that are refused leave no file behind.
        let store = StoreKind::open(settings)?;
        let mode = mode::mode(settings, &endpoints, purger.as_ref());
        let verifier = verifier(&endpoints);
        let hub = settings.redis_url.is_none().then(Arc::<Hub>::default);
        let listen_on = |address| listen(address).map_err(|error| StartError::Listen(address, error));
        let (listener, address) = listen_on(settings.listen)?;
        let ops_listener = settings.ops_listen.map(listen_on).transpose()?;

        let purged = purger.is_some();
        let outlets = Outlets {
            hub: hub.clone(),
            publisher: publisher.clone(),
            prefix: settings.grip_prefix.clone(),
            purger,
        };
        store.migrate_in_background();
        let running = Announcer::start(store.open_connection(), outlets, settings.publish_interval);
        parts::warn_of_missing_limits(settings, address);
        let limits = Arc::new(Limits::new(settings.limits.clone()));
        tokio::spawn(limits::forget_idle(Arc::downgrade(&limits)));
        let metrics = Metrics::new(
            running.announcer().clone(),
            publisher,
            hub.clone(),
            verifier.clone(),
            Arc::clone(&limits),
        );
        let shared = Arc::new(SharedContext {
            verifier,
            prefix: settings.grip_prefix.clone(),
            keep_alive: settings.streams_keep_alive,
            cache: match purged {
                true => CacheTerms::purged(settings.cache_max_age, settings.cache_stale_if_error),
                false => CacheTerms::unpurged(),
            },
            home: HomePage::new(settings.counters_known.as_deref()),
            known: settings.counters_known.clone().map(|ids| ids.into_iter().collect()),
            streams: Arc::new(Semaphore::new(capacity.streams)),
            limits,
            metrics,
        });
        let announcer = running.announcer().clone();
        let worker = WorkerFactory { store: store.clone(), announcer, hub: hub.clone(), shared };
        let terms = Terms {
            workers: settings.workers,
            connections: capacity.connections,
            keep_alive: settings.connections_keep_alive,
        };
        let ops = match ops_listener {
            Some((listener, address)) => {
                let terms = Terms { workers: NonZeroUsize::MIN, connections: OPS_CONNECTIONS, ..terms };
                let worker = worker.clone();
                let server = serve(listener, terms, move |config| worker.serve_ops(config));
                Some((server.map_err(|e| StartError::Listen(address, e))?, address))
            }
            None => None,
        };
        let metrics = ops.is_none();
        let server = serve(listener, terms, move |config| worker.serve_public(config, metrics))
            .map_err(|e| StartError::Listen(address, e))?;
        Ok(App { server, address, ops, mode, hub, announcer: running, store })
    }

    /// Where the service listens; the port is the one the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the listener for operators is, if there is one.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.ops.as_ref().map(|(_, address)| *address)
    }

    /// Which way it runs: where the counters are, who holds streams, whether a cache is purged. No secret.
    pub fn mode(&self) -> &str {
        &self.mode
    }

    /// The handle that stops the service from elsewhere; see [`Stop::now`].
    pub fn stop_handle(&self) -> Stop {
        Stop { server: self.server.handle(), hub: self.hub.clone() }
    }

    /// Serves until stopped; then announces what is pending and closes the store. Returns whether all of it got out.
    pub async fn run(self) -> io::Result<bool> {
        let ops = self.ops.map(|(server, _)| (server.handle(), actix_web::rt::spawn(server)));
        let ended = self.server.await;
        // Operators can watch how the last requests finish.
        if let Some((handle, running)) = ops {
            handle.stop(true).await;
            let _ = running.await; // it has been told to end
        }
        ended?;
        let all_out = self.announcer.drain(DRAIN_WITHIN).await;
        self.store.close().await;
        Ok(all_out)
    }
}

/// What every worker begins with.
#[derive(Clone)]
struct WorkerFactory {
    store: StoreKind,
    announcer: Announcer,
    hub: Option<Arc<Hub>>,
    shared: Arc<SharedContext>,
}

impl WorkerFactory {
    /// Called once per worker, in its thread: each has its own connection to the store, and its own listeners where it serves
    /// streams.
    fn context(&self, streams: Option<Arc<WorkerListeners>>) -> WorkerContext {
        WorkerContext {
            live: Live::new(self.store.open_connection(), self.announcer.clone()),
            streams,
            announcer: self.announcer.clone(),
            shared: Arc::clone(&self.shared),
        }
    }

    fn serve_public(&self, config: &mut ServiceConfig, metrics: bool) {
        config.app_data(Data::new(self.context(self.hub.as_ref().map(|hub| hub.worker()))));
        routes(config, &self.shared.metrics.requests, metrics);
    }

    fn serve_ops(&self, config: &mut ServiceConfig) {
        config.app_data(Data::new(self.context(None)));
        ops_routes(config, &self.shared.metrics.requests);
    }
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
