//! `/metrics`: what operators watch, in the Prometheus text format. Labels are route templates, never paths, so that
//! their number is bounded.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric, LabelValueEncoder,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use super::limit_metrics::LimitMetrics;
use crate::announcer::Announcer;
use crate::grip::{EndpointState, Publisher, Refused, Verifier};
use crate::hub::Hub;
use crate::limits::Limits;
use crate::live::Live;

/// See [`Metrics::encode`].
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The methods that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Options,
    Other,
}

/// How many [`Method`]s there are.
const METHODS: usize = Method::Other as usize + 1;

impl Method {
    pub(super) fn of(method: &actix_web::http::Method) -> Self {
        match method.as_str() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "OPTIONS" => Method::Options,
            _ => Method::Other,
        }
    }
}

/// As requests write them.
impl EncodeLabelValue for Method {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> fmt::Result {
        encoder.write_str(match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Options => "OPTIONS",
            Method::Other => "other",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: Method,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    method: Method,
}

/// The counts of all requests.
#[derive(Debug)]
pub struct Requests {
    total: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
}

/// Where one route notes its requests. The counts of successes are looked up once: labels take longer than counting.
pub(super) struct Route {
    template: &'static str,
    requests: Arc<Requests>,
    successes: [OnceLock<(Counter, Histogram)>; METHODS],
}

impl Route {
    /// `template` is the route's label.
    pub(super) fn new(template: &'static str, requests: &Arc<Requests>) -> Self {
        Route { template, requests: Arc::clone(requests), successes: Default::default() }
    }

    pub(super) fn observe(&self, method: Method, status: u16, took: Duration) {
        let look_up = || self.requests.labelled(self.template, method, status);
        let (count, histogram) =
            if status == 200 { self.successes[method as usize].get_or_init(look_up) } else { &look_up() };
        count.inc();
        histogram.observe(took.as_secs_f64());
    }
}

impl Requests {
    fn labelled(&self, route: &'static str, method: Method, status: u16) -> (Counter, Histogram) {
        let count = self.total.get_or_create(&RequestLabels { route, method, status }).clone();
        let histogram = self.seconds.get_or_create(&RouteLabels { route, method }).clone();
        (count, histogram)
    }
}

/// All that is exported.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    outbox: Gauge<f64, AtomicU64>,
    /// When the store was asked last.
    asked: Mutex<Option<Instant>>,
    /// Where the routes note their requests.
    pub requests: Arc<Requests>,
}

impl Metrics {
    /// Exports the requests, and the present numbers of these parts.
    pub fn new(
        announcer: Announcer,
        publisher: Option<Arc<Publisher>>,
        hub: Option<Arc<Hub>>,
        verifier: Option<Arc<Verifier>>,
        limits: Arc<Limits>,
    ) -> Self {
        let mut registry = Registry::with_prefix("livecounter");
        let requests = Arc::new(Requests {
            total: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.0001, 4.0, 9))),
        });
        registry.register("http_requests", "Requests answered", requests.total.clone());
        registry.register("http_request_seconds", "Until the head of the answer", requests.seconds.clone());
        let outbox = Gauge::default();
        let help =
            "Topics changed and not yet acknowledged as announced, in the whole store; NaN while it is away";
        registry.register("outbox_topics", help, outbox.clone());
        registry.register_collector(Box::new(Parts { announcer, publisher, hub, verifier }));
        registry.register_collector(Box::new(LimitMetrics(limits)));
        Metrics { registry, outbox, asked: Mutex::default(), requests }
    }

    /// The text of `/metrics`. The store is asked at most once in [`ASK_EVERY`], whoever scrapes and however often: it
    /// looks into all of its outboxes for it.
    pub(super) async fn encode(&self, live: &Live) -> Result<String, fmt::Error> {
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY) {
            let topics = live.outbox_len().await;
            self.outbox.set(topics.map_or(f64::NAN, |topics| topics as f64));
            *asked = Some(Instant::now());
        }
        drop(asked);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Reads the parts' own counts when asked.
struct Parts {
    announcer: Announcer,
    publisher: Option<Arc<Publisher>>,
    hub: Option<Arc<Hub>>,
    verifier: Option<Arc<Verifier>>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parts")
    }
}

impl Collector for Parts {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let stats = self.announcer.stats();
        let counters: [(&str, &str, &AtomicU64); 7] = [
            ("announcements_claimed", "Announcements claimed from the store", &stats.claimed),
            ("announcements_acknowledged", "Announcements accepted by every outlet", &stats.acknowledged),
            ("announcements_given_up", "Announcements left to a later sweep", &stats.given_up),
            ("purged_keys", "Surrogate keys purged, second purges included", &stats.purged),
            ("purge_failures", "Purge requests that failed", &stats.purge_failures),
            ("swept_topics", "Overdue topics that a sweep took up", &stats.swept),
            (
                "announcer_store_failures",
                "Times the store did not answer the announcer",
                &stats.store_failures,
            ),
        ];
        for (name, help, value) in counters {
            counter(&mut encoder, name, help, value.load(Ordering::Relaxed))?;
        }
        let failing = self.announcer.stats().failing_for().map_or(0.0, |time| time.as_secs_f64());
        gauge(&mut encoder, "announcements_failing_seconds", "For how long none got through", failing)?;
        gauge(
            &mut encoder,
            "announcer_topics",
            "Topics under way or at their gate",
            self.announcer.pending() as f64,
        )?;
        if let Some(hub) = &self.hub {
            gauge(&mut encoder, "listeners", "Streams held in this process", hub.listeners() as f64)?;
        }
        if let Some(verifier) = &self.verifier {
            refused(&mut encoder, verifier.refused())?;
        }
        match &self.publisher {
            Some(publisher) => endpoints(&mut encoder, publisher),
            None => Ok(()),
        }
    }
}

/// One line for each reason, however often it was met.
fn refused(encoder: &mut DescriptorEncoder, refused: &Refused) -> fmt::Result {
    let help = "Requests for streams that no proxy was believed to have sent";
    let mut family = encoder.encode_descriptor("grip_signatures_refused", help, None, MetricType::Counter)?;
    for (reason, total) in refused.totals() {
        ConstCounter::new(total).encode(family.encode_family(&[("reason", reason)])?)?;
    }
    Ok(())
}

/// A metric of each endpoint: its name, its help and its value.
type OfEndpoint = (&'static str, &'static str, fn(&EndpointState) -> u64);

/// One line per proxy under each name; the label is its host, port and path, never its keys.
fn endpoints(encoder: &mut DescriptorEncoder, publisher: &Publisher) -> fmt::Result {
    let states = publisher.endpoint_states();
    let counts: [OfEndpoint; 4] = [
        ("endpoint_items_published", "Items the proxy has accepted", |state| state.published),
        ("endpoint_items_refused", "Items the proxy will never get", |state| state.refused),
        ("endpoint_requests", "Publish requests made", |state| state.requests),
        ("endpoint_failures", "Publish requests that did not succeed", |state| state.failures),
    ];
    for (name, help, value) in counts {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for state in &states {
            let labels = [("endpoint", state.endpoint.as_str())];
            ConstCounter::new(value(state)).encode(family.encode_family(&labels)?)?;
        }
    }
    let gauges: [OfEndpoint; 2] = [
        ("endpoint_up", "Whether the last publish request went through", |state| u64::from(state.up)),
        ("endpoint_items_pending", "Items waiting for the proxy", |state| state.pending as u64),
    ];
    for (name, help, value) in gauges {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for state in &states {
            let labels = [("endpoint", state.endpoint.as_str())];
            ConstGauge::new(value(state) as f64).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn counter(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = ConstCounter::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauge(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: f64) -> fmt::Result {
    let metric = ConstGauge::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
