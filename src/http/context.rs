//! What the handlers of one worker work with.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::caching::CacheTerms;
use super::home::Home;
use super::metrics::Metrics;
use crate::announcer::Announcer;
use crate::domain::CounterId;
use crate::grip::Verifier;
use crate::hub::WorkerListeners;
use crate::limits::Limits;
use crate::live::Live;

/// One per worker.
pub struct Context {
    /// The use cases.
    pub live: Live,
    /// Present where streams may be held in this process: this worker's.
    pub streams: Option<Arc<WorkerListeners>>,
    /// For `/readyz`.
    pub announcer: Announcer,
    /// What all workers share.
    pub shared: Arc<Shared>,
}

/// What all workers share.
pub struct Shared {
    /// Present where there is a GRIP proxy.
    pub verifier: Option<Arc<Verifier>>,
    /// Behind which prefix the GRIP channels stand.
    pub prefix: String,
    /// After how long a silence a stream says that it is there.
    pub keep_alive: Duration,
    /// What caches may keep.
    pub cache: CacheTerms,
    /// Where set, other counters are 404.
    pub known: Option<HashSet<CounterId>>,
    /// The page that shows what this is.
    pub home: Home,
    /// As many permits as there may be streams in this process, so that other requests still find a connection.
    pub streams: Arc<Semaphore>,
    /// What one client may take.
    pub limits: Arc<Limits>,
    /// For `/metrics` and the routes.
    pub metrics: Metrics,
}
