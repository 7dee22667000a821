//! Counts and durations of requests, by route, method and status.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

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

/// How many [`MethodLabel`]s there are.
const METHODS: usize = MethodLabel::Other as usize + 1;

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
}

/// Methods are written as in requests.
impl EncodeLabelValue for MethodLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> fmt::Result {
        encoder.write_str(match self {
            MethodLabel::Get => "GET",
            MethodLabel::Head => "HEAD",
            MethodLabel::Post => "POST",
            MethodLabel::Put => "PUT",
            MethodLabel::Delete => "DELETE",
            MethodLabel::Options => "OPTIONS",
            MethodLabel::Other => "other",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CountLabels {
    route: &'static str,
    method: MethodLabel,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    route: &'static str,
    method: MethodLabel,
}

/// The beginning of the routes of pages for administrators.
const ADMIN: &str = "/admin";

/// The counts and durations of all requests.
#[derive(Debug)]
pub struct RequestMetrics {
    total: Family<CountLabels, Counter>,
    seconds: Family<DurationLabels, Histogram>,
    /// All counters by their labels, which a family does not list.
    known: Mutex<HashMap<CountLabels, (Counter, Histogram)>>,
}

impl RequestMetrics {
    /// Counts that begin at 0 and are exported by the registry.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = RequestMetrics {
            total: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.0001, 4.0, 9))),
            known: Mutex::default(),
        };
        registry.register("http_requests", "Requests answered", requests.total.clone());
        registry.register("http_request_seconds", "Until the head of the answer", requests.seconds.clone());
        requests
    }

    fn labelled(&self, route: &'static str, method: MethodLabel, status: u16) -> (Counter, Histogram) {
        let labels = CountLabels { route, method, status };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&labels) {
            return found.clone();
        }
        let count = self.total.get_or_create(&labels).clone();
        let histogram = self.seconds.get_or_create(&DurationLabels { route, method }).clone();
        known.insert(labels, (count.clone(), histogram.clone()));
        (count, histogram)
    }

    /// How many requests were answered, and how many of them with a status of 500 and above; without those of pages for administrators.
    pub(super) fn answered(&self) -> (u64, u64) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of_clients = known.iter().filter(|(labels, _)| !labels.route.starts_with(ADMIN));
        of_clients.fold((0, 0), |(requests, failures), (labels, (count, _))| {
            let count = count.get();
            (requests + count, failures + if labels.status >= 500 { count } else { 0 })
        })
    }
}

/// The counters of one route's requests. The counters of 200 answers are looked up once for each method, because finding a
/// counter by its labels takes longer than incrementing it.
pub(in crate::http) struct RouteMetrics {
    template: &'static str,
    requests: Arc<RequestMetrics>,
    successes: [OnceLock<(Counter, Histogram)>; METHODS],
}

impl RouteMetrics {
    /// `template` is the route's label.
    pub(in crate::http) fn new(template: &'static str, requests: &Arc<RequestMetrics>) -> Self {
        RouteMetrics { template, requests: Arc::clone(requests), successes: Default::default() }
    }

    /// Counts one answered request.
    pub(in crate::http) fn observe(&self, method: MethodLabel, status: u16, took: Duration) {
        let look_up = || self.requests.labelled(self.template, method, status);
        let (count, histogram) =
            if status == 200 { self.successes[method as usize].get_or_init(look_up) } else { &look_up() };
        count.inc();
        histogram.observe(took.as_secs_f64());
    }
}
