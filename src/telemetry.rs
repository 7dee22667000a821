//! Logs: for people through env_logger, for machines as JSON through tracing-subscriber. `RUST_LOG` filters both.

use crate::settings::LogFormat;

/// What is logged where `RUST_LOG` says nothing.
const DEFAULT_FILTER: &str = "info,actix_server=warn";

/// Starts logging; for the whole process, so only the binary calls it. A second call changes nothing.
pub fn init(format: LogFormat) {
    match format {
        // Without a subscriber, tracing's events become log records (its feature "log").
        LogFormat::Text => {
            let env = env_logger::Env::default().default_filter_or(DEFAULT_FILTER);
            let _ = env_logger::Builder::from_env(env).try_init();
        }
        LogFormat::Json => {
            let filter = tracing_subscriber::EnvFilter::try_from_default_env()
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
