//! The whole: builds every part from the settings and runs them. The only module that knows all of them.

mod mode;
mod parts;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::Data;
use actix_web::{App as ActixApp, HttpServer};

use crate::announcer::{Announcer, Outlets, Running};
use crate::http::{CacheTerms, Context, Metrics, Shared, routes};
use crate::hub::Hub;
use crate::live::Live;
use crate::settings::{Settings, SettingsError};
use parts::{StoreKind, endpoints, publisher, purger, verifier};

/// How long a client may take nothing of what it is sent before the system cuts it off: one that has stopped reading, and
/// whose buffers are full, or one that has gone without a word. Such a stream would else be held for a quarter of an
/// hour, or for ever.
#[cfg(target_os = "linux")]
const STUCK_FOR: Duration = Duration::from_secs(20);
/// How long requests under way may take to finish when the service stops, in seconds.
const FINISH_WITHIN: u64 = 10;
/// How long the announcements that are pending may take to get out when the service stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

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

/// The service, listening but not yet serving.
pub struct App {
    server: Server,
    address: SocketAddr,
    mode: String,
    hub: Option<Arc<Hub>>,
    announcer: Running,
    store: StoreKind,
}

impl App {
    /// Opens the store, listens on the address and starts the announcer. Must be called within a tokio runtime.
    pub fn build(settings: &Settings) -> Result<Self, StartError> {
        let endpoints = endpoints(settings)?;
        let publisher = publisher(settings, &endpoints)?;
        let purger = purger(settings)?;
        // Last: settings that are refused leave no file behind.
        let store = StoreKind::open(settings)?;
        let mode = mode::mode(settings, &endpoints, purger.as_ref());
        let verifier = verifier(&endpoints);
        let hub = settings.redis_url.is_none().then(Arc::<Hub>::default);
        let (listener, address) =
            listen(settings.listen).map_err(|e| StartError::Listen(settings.listen, e))?;

        let purged = purger.is_some();
        let outlets = Outlets {
            hub: hub.clone(),
            publisher: publisher.clone(),
            prefix: settings.grip_prefix.clone(),
            purger,
        };
        let running = Announcer::start(store.open_connection(), outlets, settings.publish_interval);
        let shared = Arc::new(Shared {
            verifier: verifier.clone(),
            prefix: settings.grip_prefix.clone(),
            cache: match purged {
                true => CacheTerms::purged(settings.cache_max_age, settings.cache_stale_if_error),
                false => CacheTerms::unpurged(),
            },
            known: settings.counters_known.clone().map(|ids| ids.into_iter().collect()),
            metrics: Metrics::new(running.announcer().clone(), publisher, hub.clone(), verifier),
        });
        let announcer = running.announcer().clone();
        let of_worker = OfWorker { store: store.clone(), announcer, hub: hub.clone(), shared };
        let server =
            serve(listener, settings.workers, of_worker).map_err(|e| StartError::Listen(address, e))?;
        Ok(App { server, address, mode, hub, announcer: running, store })
    }

    /// Where the service listens; the port is the one the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
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
        self.server.await?;
        let all_out = self.announcer.drain(DRAIN_WITHIN).await;
        self.store.close().await;
        Ok(all_out)
    }
}

/// What every worker begins with.
#[derive(Clone)]
struct OfWorker {
    store: StoreKind,
    announcer: Announcer,
    hub: Option<Arc<Hub>>,
    shared: Arc<Shared>,
}

impl OfWorker {
    /// Called once per worker, in its thread: each has its own connection to the store, and its own listeners.
    fn context(&self) -> Context {
        Context {
            live: Live::new(self.store.open_connection(), self.announcer.clone()),
            streams: self.hub.as_ref().map(|hub| hub.branch()),
            announcer: self.announcer.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

/// The HTTP server, which runs when it is awaited.
fn serve(listener: TcpListener, workers: NonZeroUsize, of_worker: OfWorker) -> io::Result<Server> {
    let app = move || {
        let requests = Arc::clone(&of_worker.shared.metrics.requests);
        ActixApp::new().app_data(Data::new(of_worker.context())).configure(|config| routes(config, &requests))
    };
    let server = HttpServer::new(app)
        .workers(workers.get())
        // A client that has closed its side has left: its stream must not linger until the next write.
        .h1_allow_half_closed(false)
        .shutdown_timeout(FINISH_WITHIN)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
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
