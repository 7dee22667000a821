//! What `/metrics` says of the limits.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use crate::limits::Limits;

/// Reads the counts of the limits when asked.
#[derive(Debug)]
pub(super) struct LimitMetrics(pub(super) Arc<Limits>);

impl Collector for LimitMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Requests refused because of limits.* or access.amounts";
        let mut family = encoder.encode_descriptor("requests_refused", help, None, MetricType::Counter)?;
        for (reason, total) in self.0.refusals.totals() {
            ConstCounter::new(total).encode(family.encode_family(&[("reason", reason)])?)?;
        }
        Ok(())
    }
}
