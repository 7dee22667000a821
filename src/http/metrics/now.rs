//! What a process does now, as the pages for administrators show it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::delivery::DeliveryCollector;

/// What a process does now.
#[derive(Debug, Serialize)]
pub(in crate::http) struct Now {
    /// How many requests the process has answered since its start, without those of these pages.
    pub(in crate::http) requests: u64,
    /// How many of them it has answered with a status of 500 and above.
    pub(in crate::http) failures: u64,
    /// How many streams the process holds; `None` if proxies hold them.
    pub(in crate::http) listeners: Option<u64>,
    /// How many topics of the whole store have changed and are not announced; `None` if the store does not answer.
    pub(in crate::http) outbox: Option<u64>,
    /// How many topics wait for the announcer of the process, also at their gates.
    pub(in crate::http) pending: u64,
    /// How many announcements the process has made.
    pub(in crate::http) announced: u64,
    /// For how many seconds no announcement of the process has got through.
    pub(in crate::http) failing: u64,
    /// The proxies that hold streams.
    pub(in crate::http) proxies: Vec<Proxy>,
}

/// A proxy that holds streams.
#[derive(Debug, Serialize)]
pub(in crate::http) struct Proxy {
    /// Its host, port and path, without keys.
    pub(in crate::http) name: String,
    /// Whether the last request to it went through.
    pub(in crate::http) up: bool,
    /// How many items wait for it.
    pub(in crate::http) pending: u64,
    /// How many items it has accepted.
    pub(in crate::http) published: u64,
}

impl Now {
    /// Reads the numbers of the announcer and of the outlets.
    pub(super) fn of(delivery: &DeliveryCollector, outbox: Option<u64>, requests: u64, failures: u64) -> Now {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let stats = delivery.announcer.stats();
        let states = delivery.publisher.as_ref().map(|publisher| publisher.endpoint_states());
        let proxies = states.into_iter().flatten().map(|state| Proxy {
            name: state.endpoint,
            up: state.up,
            pending: state.pending as u64,
            published: state.published,
        });
        Now {
            requests,
            failures,
            listeners: delivery.hub.as_ref().map(|hub| hub.listeners() as u64),
            outbox,
            pending: delivery.announcer.pending() as u64,
            announced: count(&stats.acknowledged),
            failing: stats.failing_for().map_or(0, |time| time.as_secs()),
            proxies: proxies.collect(),
        }
    }
}
