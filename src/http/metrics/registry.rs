//! All metrics, and the text that `/metrics` answers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use super::delivery::DeliveryCollector;
use super::limits::LimitsCollector;
use super::now::Now;
use super::occupancy::{Occupancy, OccupancyCollector};
use super::process::ProcessCollector;
use super::requests::RequestMetrics;
use crate::announcer::Announcer;
use crate::grip::{Publisher, Verifier};
use crate::hub::Hub;
use crate::limits::Limits;
use crate::live::Live;

/// How often the store is asked for the length of its outboxes; see [`Metrics::encode`].
const OUTBOX_EVERY: Duration = Duration::from_secs(1);

/// Everything that `/metrics` exports.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    outbox: Gauge<f64, AtomicU64>,
    /// When the store was last asked for the length of its outboxes.
    outbox_asked: Mutex<Option<Instant>>,
    delivery: DeliveryCollector,
    /// The counts that the routes update.
    pub requests: Arc<RequestMetrics>,
}

impl Metrics {
    /// Exports the requests, and what the announcer, the outlets, the limits, the connections and the system count.
    pub fn new(
        announcer: Announcer,
        publisher: Option<Arc<Publisher>>,
        hub: Option<Arc<Hub>>,
        verifier: Option<Arc<Verifier>>,
        limits: Arc<Limits>,
        occupancy: Arc<Occupancy>,
    ) -> Self {
        let mut all = Registry::default();
        all.register_collector(Box::new(ProcessCollector::start()));
        let registry = all.sub_registry_with_prefix("livecounter");
        let requests = Arc::new(RequestMetrics::register(registry));
        let outbox = Gauge::default();
        let help =
            "Topics changed and not yet acknowledged as announced, in the whole store; NaN while it is away";
        registry.register("outbox_topics", help, outbox.clone());
        let delivery = DeliveryCollector { announcer, publisher, hub, verifier };
        registry.register_collector(Box::new(delivery.clone()));
        registry.register_collector(Box::new(LimitsCollector(limits)));
        registry.register_collector(Box::new(OccupancyCollector(occupancy)));
        Metrics { registry: all, outbox, outbox_asked: Mutex::default(), delivery, requests }
    }

    /// The text of `/metrics`.
    pub(in crate::http) async fn encode(&self, live: &Live) -> Result<String, fmt::Error> {
        self.ask_for_outbox(live).await;
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// What the process does now.
    pub(in crate::http) async fn now(&self, live: &Live) -> Now {
        self.ask_for_outbox(live).await;
        let outbox = Some(self.outbox.get()).filter(|topics| !topics.is_nan()).map(|topics| topics as u64);
        let (requests, failures) = self.requests.answered();
        Now::of(&self.delivery, outbox, requests, failures)
    }

    /// Reads the length of the outboxes. However often the function is called, the store is asked at most once in [`OUTBOX_EVERY`],
    /// because it has to visit all of its outboxes to answer.
    async fn ask_for_outbox(&self, live: &Live) {
        let mut asked = self.outbox_asked.lock().await;
        if asked.is_none_or(|asked| asked.elapsed() >= OUTBOX_EVERY) {
            let topics = live.outbox_len().await;
            self.outbox.set(topics.map_or(f64::NAN, |topics| topics as f64));
            *asked = Some(Instant::now());
        }
    }
}
