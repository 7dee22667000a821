//! Logs: for people through env_logger, for machines as JSON through tracing-subscriber. `RUST_LOG` filters both.

use crate::settings::LogFormat;

/// What is logged where `RUST_LOG` says nothing.
/// Not what the parser of requests refuses, at level error: anybody can send that, at any rate.
const DEFAULT_FILTER: &str = "info,actix_server=warn,actix_http=off";

/// Starts logging; for the whole process, so only the binary calls it. A second call changes nothing.
pub fn init(format: LogFormat) {
    // An empty variable counts as not set.
    let filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.trim().is_empty());
    let filter = filter.as_deref().unwrap_or(DEFAULT_FILTER);
    match format {
        // Without a subscriber, tracing's events become log records (its feature "log").
        LogFormat::Text => {
            let _ = env_logger::Builder::new().parse_filters(filter).try_init();
        }
        LogFormat::Json => {
            let filter = tracing_subscriber::EnvFilter::try_new(filter)
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(DEFAULT_FILTER));
            let _ = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_env_filter(filter)
                .with_writer(std::io::stderr)
                .try_init();
        }
    }
}
