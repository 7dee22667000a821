//! Metrics of the limits.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::limits::Limits;

/// Reads the counts of the limits when `/metrics` is read.
#[derive(Debug)]
pub(super) struct LimitsCollector(pub(super) Arc<Limits>);

impl LimitsCollector {
    fn encode_clients(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let rates = [("writes", &self.0.writes), ("new_topics", &self.0.new_topics)];
        let mut limited =
            rates.into_iter().filter_map(|(name, rate)| Some((name, rate.as_ref()?))).peekable();
        if limited.peek().is_none() {
            return Ok(());
        }
        let help = "Clients that have used some of their allowance";
        let mut family = encoder.encode_descriptor("limit_clients", help, None, MetricType::Gauge)?;
        for (name, rate) in limited {
            let clients = ConstGauge::new(rate.clients() as f64);
            clients.encode(family.encode_family(&[("limit", name)])?)?;
        }
        Ok(())
    }
}

impl Collector for LimitsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Requests refused because of limits.* or access.amounts";
        let mut family = encoder.encode_descriptor("requests_refused", help, None, MetricType::Counter)?;
        for (reason, total) in self.0.refusals.totals() {
            ConstCounter::new(total).encode(family.encode_family(&[("reason", reason)])?)?;
        }
        self.encode_clients(&mut encoder)?;
        if let Some(topics) = &self.0.topics {
            let known = topics.known().map_or(f64::NAN, |known| known as f64);
            let gauges = [
                ("topics", "Topics in the store, as this process knows; NaN while it is away", known),
                ("topics_limit", "The most topics there may be", topics.most() as f64),
            ];
            for (name, help, value) in gauges {
                let metric = ConstGauge::new(value);
                metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
            }
        }
        Ok(())
    }
}
