//! Metrics of the delivery of changes: the announcer, the proxies and the listeners in this process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::announcer::Announcer;
use crate::grip::{EndpointState, Publisher, Refused, Verifier};
use crate::hub::Hub;

/// Reads the counts of the announcer, the proxies and the listeners when `/metrics` is read.
#[derive(Clone)]
pub(super) struct DeliveryCollector {
    pub(super) announcer: Announcer,
    pub(super) publisher: Option<Arc<Publisher>>,
    pub(super) hub: Option<Arc<Hub>>,
    pub(super) verifier: Option<Arc<Verifier>>,
}

impl fmt::Debug for DeliveryCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeliveryCollector")
    }
}

impl Collector for DeliveryCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        encode_announcer(&mut encoder, &self.announcer)?;
        if let Some(hub) = &self.hub {
            let listeners = hub.listeners() as f64;
            encode_gauge(
                &mut encoder,
                "listeners",
                "Topics that streams held in this process listen to; a stream of several has each",
                listeners,
            )?;
        }
        if let Some(verifier) = &self.verifier {
            encode_refused(&mut encoder, verifier.refused())?;
        }
        match &self.publisher {
            Some(publisher) => encode_endpoints(&mut encoder, publisher),
            None => Ok(()),
        }
    }
}

fn encode_announcer(encoder: &mut DescriptorEncoder, announcer: &Announcer) -> fmt::Result {
    let stats = announcer.stats();
    let counters: [(&str, &str, &AtomicU64); 7] = [
        ("announcements_claimed", "Announcements claimed from the store", &stats.claimed),
        ("announcements_acknowledged", "Announcements accepted by every outlet", &stats.acknowledged),
        ("announcements_given_up", "Announcements left to a later sweep", &stats.given_up),
        ("purged_keys", "Surrogate keys purged, second purges included", &stats.purged),
        ("purge_failures", "Purge requests that failed", &stats.purge_failures),
        ("swept_topics", "Overdue topics that a sweep took up", &stats.swept),
        ("announcer_store_failures", "Times the store did not answer the announcer", &stats.store_failures),
    ];
    for (name, help, value) in counters {
        encode_counter(encoder, name, help, value.load(Ordering::Relaxed))?;
    }
    let failing = stats.failing_for().map_or(0.0, |time| time.as_secs_f64());
    encode_gauge(encoder, "announcements_failing_seconds", "For how long none got through", failing)?;
    encode_gauge(
        encoder,
        "announcer_topics",
        "Topics under way or at their gate",
        announcer.pending() as f64,
    )?;
    Ok(())
}

/// One line for each reason, also for a reason that has not occurred.
fn encode_refused(encoder: &mut DescriptorEncoder, refused: &Refused) -> fmt::Result {
    let help = "Requests for streams that no proxy was believed to have sent";
    let mut family = encoder.encode_descriptor("grip_signatures_refused", help, None, MetricType::Counter)?;
    for (reason, total) in refused.totals() {
        ConstCounter::new(total).encode(family.encode_family(&[("reason", reason)])?)?;
    }
    Ok(())
}

/// A metric that each endpoint has: its name, its help, and how its value is read.
type EndpointMetric = (&'static str, &'static str, fn(&EndpointState) -> u64);

/// One line for each proxy and metric. The label is the host, the port and the path of the proxy, never its keys.
fn encode_endpoints(encoder: &mut DescriptorEncoder, publisher: &Publisher) -> fmt::Result {
    let states = publisher.endpoint_states();
    let counts: [EndpointMetric; 4] = [
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
    let gauges: [EndpointMetric; 2] = [
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

fn encode_counter(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = ConstCounter::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

pub(super) fn encode_gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    value: f64,
) -> fmt::Result {
    let metric = ConstGauge::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
