//! Writes the log: for people through env_logger, for machines as JSON through tracing-subscriber. `RUST_LOG` filters both.

use std::fmt;
use std::io::stderr;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_log::{AsLog, AsTrace};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{EnvFilter, Registry};

use crate::settings::{LogFormat, SettingsError};

/// The filter if `RUST_LOG` is not set. It leaves out two kinds of lines that have level error. `actix_http` logs each request
/// that it cannot parse, and any client can send these at any rate. `rustls_platform_verifier` logs each certificate that is
/// not trusted, and the part of this service that connects logs that once.
const DEFAULT_FILTER: &str = "info,actix_server=warn,actix_http=off,rustls_platform_verifier=off";

/// Starts the log of the whole process; only the program calls it. A second call changes nothing. Refuses a `RUST_LOG` that cannot
/// be read.
pub fn init(format: LogFormat) -> Result<(), SettingsError> {
    // An empty variable counts as not set.
    let filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.trim().is_empty());
    let filter = filter.as_deref().unwrap_or(DEFAULT_FILTER);
    match format {
        LogFormat::Text => {
            // The parser of env_logger itself only warns of a text that it cannot read.
            env_filter::Builder::new().try_parse(filter).map_err(unreadable)?;
            if env_logger::Builder::new().parse_filters(filter).try_init().is_ok() {
                let _ = tracing::subscriber::set_global_default(Registry::default().with(MessageAlone));
            }
        }
        LogFormat::Json => {
            let filter = EnvFilter::try_new(filter).map_err(unreadable)?;
            let _ = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_env_filter(filter)
                .with_writer(stderr)
                // If standard error is closed, the error cannot be written either, and trying to write it panics.
                .log_internal_errors(false)
                .try_init();
        }
    }
    Ok(())
}

/// The error for a `RUST_LOG` that cannot be read.
fn unreadable(error: impl fmt::Display) -> SettingsError {
    let problem = format_args!("must be levels of log lines, such as warn or livecounter=debug: {error}");
    SettingsError::new("RUST_LOG", problem)
}

/// Passes events to env_logger, each with only its message: the message says everything, and the fields are for machines.
/// (The feature "log" of `tracing` would append the fields.)
struct MessageAlone;

impl<S: Subscriber> Layer<S> for MessageAlone {
    /// Lets tracing skip disabled levels cheaply.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(log::max_level().as_trace())
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        log::logger().enabled(&metadata.as_log())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        let metadata = event.metadata().as_log();
        log::logger()
            .log(&log::Record::builder().metadata(metadata).args(format_args!("{}", message.0)).build());
    }
}

/// The text of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
