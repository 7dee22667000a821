//! The parts of the service that the handlers of requests use.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::caching::CacheTerms;
use super::compat::countapi::stats::CountApiStats;
use super::error::ApiError;
use super::fields::newest::NewestFields;
use super::home::page::HomePage;
use super::metrics::{Metrics, Occupancy};
use super::rankings::Rankings;
use super::top_hits::TopHits;
use super::traffic::Traffic;
use crate::access::Access;
use crate::announcer::Announcer;
use crate::compat::CompatHosts;
use crate::domain::{CounterId, Retention};
use crate::grip::Verifier;
use crate::hits::HitRules;
use crate::hub::WorkerListeners;
use crate::limits::Limits;
use crate::live::Live;
use crate::sql::Runner;

/// The parts that one worker has of its own, with those that it shares.
pub struct WorkerContext {
    /// The use cases.
    pub live: Live,
    /// This worker's listeners; `None` if this process holds no streams.
    pub listeners: Option<Arc<WorkerListeners>>,
    /// The announcer: `/readyz` reads its state, and a recovery may tell it to announce a topic again.
    pub announcer: Announcer,
    /// The parts that all workers share.
    pub shared: Arc<SharedContext>,
}

/// The parts that all workers share.
pub struct SharedContext {
    /// Checks the signatures of GRIP proxies; `None` if there is no proxy.
    pub verifier: Option<Arc<Verifier>>,
    /// The prefix of all GRIP channels.
    pub prefix: String,
    /// How long a stream may be silent before it gets a keep-alive comment.
    pub keep_alive: Duration,
    /// The terms on which caches may keep answers.
    pub cache: CacheTerms,
    /// The counters that there are; all others are 404. `None` if any id is a counter.
    pub known: Option<HashSet<CounterId>>,
    /// The home page.
    pub home: HomePage,
    /// How full the process is. The number of streams that it may hold leaves connections for other requests.
    pub occupancy: Arc<Occupancy>,
    /// Whether the service is about to stop, so that streams must end.
    pub stopping: Arc<AtomicBool>,
    /// The keys and the rules for writing.
    pub access: Arc<Access>,
    /// Whether requests straight from this machine may do everything as long as there are no keys: the service listens on a loopback address, and no
    /// proxy in front of it is known.
    pub trusts_local: bool,
    /// How much of the past of counters is kept.
    pub history: Retention,
    /// The rules for hits; `None` if hits are not counted here.
    pub hits: Option<HitRules>,
    /// The hosts on which the routes of other services are answered.
    pub compat: CompatHosts,
    /// The counts of requests that were made for CountAPI.
    pub countapi: CountApiStats,
    /// The rankings of counters.
    pub rankings: Rankings,
    /// The pages and the sites with the most hits.
    pub top_hits: TopHits,
    /// Fields of the newest entities of routes.
    pub newest_fields: NewestFields,
    /// Runs statements in SQL.
    pub sql: Runner,
    /// How long after the beginning of a request its next command may begin.
    pub commands_time: Duration,
    /// The limits of clients.
    pub limits: Arc<Limits>,
    /// Whether every client may see a page with the numbers of the service.
    pub has_public_page: bool,
    /// The traffic of the service, as the pages for administrators show it.
    pub traffic: Arc<Traffic>,
    /// The metrics: `/metrics` exports them, and the routes count their requests in them.
    pub metrics: Metrics,
}

impl SharedContext {
    /// A permit for one more stream that this process holds; 503 if it holds as many as it may.
    pub(super) fn stream_permit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.occupancy.streams).try_acquire_owned().map_err(|_| ApiError::TooManyStreams)
    }
}
