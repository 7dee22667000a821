//! What the handlers of one worker work with.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderValue;

use super::metrics::Metrics;
use crate::announcer::Announcer;
use crate::domain::CounterId;
use crate::grip::Verifier;
use crate::hub::Branch;
use crate::live::Live;

/// One per worker.
pub struct Context {
    /// The use cases.
    pub live: Live,
    /// Present where streams may be held in this process: this worker's.
    pub streams: Option<Arc<Branch>>,
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
    /// What caches may keep.
    pub cache: CacheTerms,
    /// Where set, other counters are 404.
    pub known: Option<HashSet<CounterId>>,
    /// For `/metrics` and the routes.
    pub metrics: Metrics,
}

/// The header values of answers that may be cached.
pub struct CacheTerms {
    /// For shared caches that know no better: `Cache-Control`.
    pub cache_control: HeaderValue,
    /// For the CDN that we purge: `Surrogate-Control`.
    pub surrogate_control: HeaderValue,
}

impl CacheTerms {
    /// How long a value may be kept, and for how much longer where the origin is away.
    pub fn new(max_age: Duration, stale_if_error: Duration) -> Self {
        let (fresh, stale) = (max_age.as_secs(), stale_if_error.as_secs());
        let value =
            |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-store"));
        CacheTerms {
            cache_control: value(format!("s-maxage={fresh}")),
            surrogate_control: value(format!("max-age={fresh}, stale-if-error={stale}")),
        }
    }
}
