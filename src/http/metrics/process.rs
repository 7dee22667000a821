//! Metrics of the process, by the names that all programs with Prometheus metrics have for them, and the version of the program.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::time::{ClockId, clock_gettime};

use super::delivery::encode_gauge;

/// Reads the process's use of the machine when `/metrics` is read.
#[derive(Debug)]
pub(super) struct ProcessCollector {
    /// In seconds since 1970.
    started: f64,
}

impl ProcessCollector {
    /// The process starts now.
    pub(super) fn start() -> Self {
        ProcessCollector {
            started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        // Not of the type info, which only readers of OpenMetrics know.
        let help = "1, with the version of the program";
        let mut build = encoder.encode_descriptor("livecounter_build_info", help, None, MetricType::Gauge)?;
        let labels = [("version", env!("CARGO_PKG_VERSION"))];
        ConstGauge::new(1_i64).encode(build.encode_family(&labels)?)?;
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = ConstCounter::new(spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9);
        let help = "CPU time of the process, of users and of the system, in seconds";
        seconds.encode(encoder.encode_descriptor(
            "process_cpu_seconds",
            help,
            None,
            MetricType::Counter,
        )?)?;
        let help = "When the process was started, in seconds since 1970";
        encode_gauge(&mut encoder, "process_start_time_seconds", help, self.started)?;
        if let Some(bytes) = resident_bytes() {
            encode_gauge(
                &mut encoder,
                "process_resident_memory_bytes",
                "Resident memory of the process",
                bytes,
            )?;
        }
        Ok(())
    }
}

/// The resident memory of the process; `None` where the system does not tell, as only Linux has this file.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024.0)
}
