//! The whole service: builds every part from the settings and runs them. No other module knows all parts.

mod checked;
mod error;
mod export;
mod export_lines;
mod import;
mod import_error;
mod import_feeds;
mod import_pasts;
mod import_record;
mod import_summary;
mod import_writes;
mod mode;
mod outlets;
mod prune;
mod public;
mod server;
mod servers;
mod stop;
mod store_source;
mod tally;
mod worker_factory;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::access::Access;
use crate::announcer::{Announcer, Outlets, Running};
use crate::http::{
    Additions, CacheTerms, CountApiStats, HomePage, Metrics, NewestFields, Occupancy, Rankings,
    SharedContext, TopHits, Traffic,
};
use crate::hub::Hub;
use crate::limits::{self, Limits};
use crate::settings::Settings;
use crate::sql::Runner;
use checked::{CheckedParts, warn_of_missing_keys, warn_of_missing_settings, warn_of_unknown_visitors};
use server::ServerOptions;
use servers::{Servers, Sockets};
use store_source::StoreSource;
use tally::TallyWriter;
use worker_factory::WorkerFactory;

pub use crate::import::{HitCounterError, HitCounterPages, ImportMode, is_sqlite, write_hit_counter_pages};
pub use checked::{check, check_public};
pub use error::StartError;
pub use export::{ExportError, ExportOptions, Exported, export};
pub use import::{ImportOptions, import};
pub use import_error::ImportError;
pub use import_record::RecordError;
pub use prune::{Day, ParseDayError, PruneError, prune};
pub use public::Missing;
pub use stop::Stop;

/// The longest time that a stopping service waits for pending announcements.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// The service, which listens but does not serve yet.
pub struct App {
    servers: Servers,
    mode: String,
    access: Arc<Access>,
    stopping: Arc<AtomicBool>,
    hub: Option<Arc<Hub>>,
    announcer: Running,
    tally: Option<TallyWriter>,
    store: StoreSource,
}

impl App {
    /// Opens the store, listens on the address and starts the announcer. Must be called within a tokio runtime.
    pub fn build(settings: &Settings) -> Result<Self, StartError> {
        App::of(settings).map_err(|error| error.located(settings))
    }

    fn of(settings: &Settings) -> Result<Self, StartError> {
        let mut parts = CheckedParts::of(settings)?;
        // The store is opened after all other checks, so that refused settings do not create a file.
        let store = StoreSource::open(settings)?;
        let mode = mode::mode(settings, &parts.endpoints, parts.purger.as_ref());
        let hub = settings.redis_url.is_none().then(Arc::<Hub>::default);
        let sockets = Sockets::listen(settings)?;

        let cache = cache_terms(settings, &parts);
        let outlets = Outlets {
            hub: hub.clone(),
            publisher: parts.publisher.clone(),
            prefix: settings.grip_prefix.clone(),
            purger: parts.purger.take(),
        };
        store.prepare_in_background();
        let running = Announcer::start(store.open_connection(), outlets, settings.publish_interval);
        let announcer = running.announcer().clone();
        warn_of_missing_settings(settings, sockets.address(), &parts.endpoints);
        warn_of_missing_keys(settings);
        warn_of_unknown_visitors(settings);
        let occupancy = Arc::new(Occupancy::new(parts.capacity.connections.get(), parts.capacity.streams));
        let shared = Arc::new(shared_context(settings, &parts, cache, &announcer, hub.clone(), &occupancy));
        let (access, stopping) = (Arc::clone(&shared.access), Arc::clone(&shared.stopping));
        let tally = tally::is_on(settings).then(|| TallyWriter::start(&store, &announcer, &shared.traffic));
        let worker = WorkerFactory { store: store.clone(), announcer, hub: hub.clone(), shared };
        let servers = sockets.serve(worker, ServerOptions::of(settings, parts.capacity), occupancy)?;
        Ok(App { servers, mode, access, stopping, hub, announcer: running, tally, store })
    }

    /// The address on which the service listens. If the settings have port 0, the system has chosen the port.
    pub fn address(&self) -> SocketAddr {
        self.servers.address
    }

    /// The address on which the service listens for operators, if `ops.listen` is set.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.servers.ops_address()
    }

    /// Describes how the service runs, without secrets: the store, the part that holds streams, and whether a cache is purged.
    pub fn mode(&self) -> &str {
        &self.mode
    }

    /// Decides which requests are allowed. The keys can be replaced while the service runs.
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access)
    }

    /// The handle with which another task stops the service; see [`Stop::now`].
    pub fn stop_handle(&self) -> Stop {
        Stop { server: self.servers.handle(), stopping: Arc::clone(&self.stopping), hub: self.hub.clone() }
    }

    /// Serves until the service is stopped, then makes the pending announcements as far as time allows, and closes the store. Returns
    /// whether all pending announcements were made.
    pub async fn run(self) -> io::Result<bool> {
        self.servers.run().await?;
        if let Some(tally) = &self.tally {
            tally.finish().await;
        }
        let all_announced = self.announcer.drain(DRAIN_WITHIN).await;
        self.store.close().await;
        Ok(all_announced)
    }
}

/// Makes what all workers share.
fn shared_context(
    settings: &Settings,
    parts: &CheckedParts,
    cache: CacheTerms,
    announcer: &Announcer,
    hub: Option<Arc<Hub>>,
    occupancy: &Arc<Occupancy>,
) -> SharedContext {
    let verifier = outlets::verifier(&parts.endpoints);
    let limits = start_limits(settings);
    let publisher = parts.publisher.clone();
    let metrics = Metrics::new(
        announcer.clone(),
        publisher,
        hub,
        verifier.clone(),
        Arc::clone(&limits),
        Arc::clone(occupancy),
    );
    let traffic = Arc::new(Traffic::new(Arc::clone(&metrics.requests), tally::is_on(settings)));
    tokio::spawn(Traffic::watch(Arc::downgrade(&traffic)));
    SharedContext {
        metrics,
        traffic,
        verifier,
        prefix: settings.grip_prefix.clone(),
        keep_alive: settings.streams_keep_alive,
        cache,
        home: HomePage::new(
            settings.counters_known.as_deref(),
            settings.home_analytics.clone(),
            Additions { amounts: settings.limits.amounts, write: settings.access.write.clone() },
        ),
        known: settings.counters_known.clone().map(|ids| ids.into_iter().collect()),
        occupancy: Arc::clone(occupancy),
        stopping: Arc::default(),
        access: Arc::new(Access::new(settings.access.clone())),
        has_public_page: settings.admin_public,
        trusts_local: settings.listen.ip().to_canonical().is_loopback()
            && settings.limits.trusted_proxies.is_empty(),
        history: settings.history,
        hits: settings.hits.clone(),
        compat: settings.compat.clone(),
        countapi: CountApiStats::default(),
        newest_fields: NewestFields::default(),
        rankings: Rankings::default(),
        top_hits: TopHits::default(),
        sql: Runner::default(),
        commands_time: settings.commands_time,
        limits,
    }
}

/// Returns the terms for caches: a cache may keep answers for longer if the service purges it.
fn cache_terms(settings: &Settings, parts: &CheckedParts) -> CacheTerms {
    match parts.purger {
        Some(_) => CacheTerms::purged(settings.cache_max_age, settings.cache_stale_if_error),
        None => CacheTerms::unpurged(),
    }
}

/// Makes the limits of one client, and starts the task that forgets idle clients.
fn start_limits(settings: &Settings) -> Arc<Limits> {
    let limits = Arc::new(Limits::new(settings.limits.clone()));
    tokio::spawn(limits::forget_idle(Arc::downgrade(&limits)));
    limits
}
