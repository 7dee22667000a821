//! Counts and durations of requests, by route, method and status.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::recent::RecentRequests;

/// The methods that the labels tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) enum MethodLabel {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Other,
}

impl MethodLabel {
    /// The label of a request with this method.
    pub(in crate::http) fn of(method: &actix_web::http::Method) -> Self {
        match method.as_str() {
            "GET" => MethodLabel::Get,
            "HEAD" => MethodLabel::Head,
            "POST" => MethodLabel::Post,
            "PUT" => MethodLabel::Put,
            "DELETE" => MethodLabel::Delete,
            "OPTIONS" => MethodLabel::Options,
            _ => MethodLabel::Other,
        }
    }

    /// The method as in requests.
    pub(super) fn name(self) -> &'static str {
        match self {
            MethodLabel::Get => "GET",
            MethodLabel::Head => "HEAD",
            MethodLabel::Post => "POST",
            MethodLabel::Put => "PUT",
            MethodLabel::Delete => "DELETE",
            MethodLabel::Options => "OPTIONS",
            MethodLabel::Other => "other",
        }
    }
}

/// Methods are written as in requests.
impl EncodeLabelValue for MethodLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> fmt::Result {
        encoder.write_str(self.name())
    }
}

/// The labels of a count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::http) struct RequestLabels {
    route: &'static str,
    method: MethodLabel,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    route: &'static str,
    method: MethodLabel,
}

/// How many requests with the same labels were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct CountedRequests {
    /// The template of the route; empty for paths that do not exist.
    pub(in crate::http) route: &'static str,
    pub(in crate::http) method: &'static str,
    pub(in crate::http) status: u16,
    pub(in crate::http) requests: u64,
}

/// Whether requests for this route are those of clients: not those of administrators and of programs that watch the service, and not the
/// files that pages load.
fn is_for_clients(route: &str) -> bool {
    !route.starts_with("/admin") && !["/assets/{name}", "/healthz", "/readyz", "/metrics"].contains(&route)
}

/// The counts and durations of all requests.
#[derive(Debug)]
pub struct RequestMetrics {
    total: Family<RequestLabels, Counter>,
    seconds: Family<DurationLabels, Histogram>,
    /// All counters by their labels, which a family does not list.
    known: Mutex<HashMap<RequestLabels, (Counter, Histogram)>>,
    recent: RecentRequests,
}

impl RequestMetrics {
    /// Counts that begin at 0 and are exported by the registry.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = RequestMetrics {
            total: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.0001, 4.0, 9))),
            known: Mutex::default(),
            recent: RecentRequests::default(),
        };
        registry.register("http_requests", "Requests answered", requests.total.clone());
        registry.register("http_request_seconds", "Until the head of the answer", requests.seconds.clone());
        requests
    }

    fn labelled(&self, route: &'static str, method: MethodLabel, status: u16) -> (Counter, Histogram) {
        let labels = RequestLabels { route, method, status };
        let mut known = self.known();
        if let Some(found) = known.get(&labels) {
            return found.clone();
        }
        let count = self.total.get_or_create(&labels).clone();
        let histogram = self.seconds.get_or_create(&DurationLabels { route, method }).clone();
        known.insert(labels, (count.clone(), histogram.clone()));
        (count, histogram)
    }

    /// How many requests of clients were answered, and how many of them with a status of 500 and above.
    pub(super) fn answered(&self) -> (u64, u64) {
        let known = self.known();
        let of_clients = known.iter().filter(|(labels, _)| is_for_clients(labels.route));
        of_clients.fold((0, 0), |(requests, failures), (labels, (count, _))| {
            let count = count.get();
            (requests + count, failures + if labels.status >= 500 { count } else { 0 })
        })
    }

    /// How many requests of clients were answered since `before` was counted, which becomes what is counted now.
    pub(in crate::http) fn counted_since(
        &self,
        before: &mut HashMap<RequestLabels, u64>,
    ) -> Vec<CountedRequests> {
        let mut counted = Vec::new();
        for (labels, (count, _)) in self.known().iter().filter(|(labels, _)| is_for_clients(labels.route)) {
            let (now, RequestLabels { route, method, status }) = (count.get(), labels.clone());
            let known = before.entry(labels.clone()).or_default();
            let requests = now - std::mem::replace(known, now);
            if requests > 0 {
                counted.push(CountedRequests { route, method: method.name(), status, requests });
            }
        }
        counted
    }

    /// The requests of the present second.
    pub(in crate::http) fn recent(&self) -> &RecentRequests {
        &self.recent
    }

    fn known(&self) -> MutexGuard<'_, HashMap<RequestLabels, (Counter, Histogram)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counters of one route's requests to one worker. Each is looked up once: to find a counter by its labels takes longer than to
/// increment it, and a lock that all workers share.
pub(in crate::http) struct RouteMetrics {
    template: &'static str,
    requests: Arc<RequestMetrics>,
    /// The counters by method and status, in the order of their first requests.
    known: RefCell<Vec<KnownCounters>>,
}

struct KnownCounters {
    method: MethodLabel,
    status: u16,
    count: Counter,
    seconds: Histogram,
}

impl RouteMetrics {
    /// `template` is the route's label.
    pub(in crate::http) fn new(template: &'static str, requests: &Arc<RequestMetrics>) -> Self {
        RouteMetrics { template, requests: Arc::clone(requests), known: RefCell::default() }
    }

    /// Counts one answered request.
    pub(in crate::http) fn observe(&self, method: MethodLabel, status: u16, took: Duration) {
        let mut known = self.known.borrow_mut();
        let at = known.iter().position(|known| known.method == method && known.status == status);
        let at = at.unwrap_or_else(|| {
            let (count, seconds) = self.requests.labelled(self.template, method, status);
            known.push(KnownCounters { method, status, count, seconds });
            known.len() - 1
        });
        known[at].count.inc();
        known[at].seconds.observe(took.as_secs_f64());
    }

    /// Whether the next request of the present second is kept.
    pub(in crate::http) fn keeps_more(&self) -> bool {
        self.requests.recent.wants_more()
    }

    /// Keeps a request with this path, if it is one of a client.
    pub(in crate::http) fn keep(&self, method: MethodLabel, path: &str, status: u16, took: Duration) {
        if is_for_clients(self.template) {
            self.requests.recent.keep(method.name(), path, self.template, status, took);
        }
    }
}
