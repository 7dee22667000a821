//! Logs: for people through env_logger, for machines as JSON through tracing-subscriber. `RUST_LOG` filters both.

use std::fmt;
use std::io::stderr;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_log::{AsLog, AsTrace};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{EnvFilter, Registry};

use crate::settings::LogFormat;

/// What is logged where `RUST_LOG` says nothing.
/// Not what the parser of requests refuses, at level error: anybody can send that, at any rate. Nor each certificate that
/// is not trusted, at level error, too: whoever connects says it, once.
const DEFAULT_FILTER: &str = "info,actix_server=warn,actix_http=off,rustls_platform_verifier=off";

/// Starts logging; for the whole process, so only the binary calls it. A second call changes nothing.
pub fn init(format: LogFormat) {
    // An empty variable counts as not set.
    let filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.trim().is_empty());
    let filter = filter.as_deref().unwrap_or(DEFAULT_FILTER);
    match format {
        LogFormat::Text => {
            if env_logger::Builder::new().parse_filters(filter).try_init().is_ok() {
                let _ = tracing::subscriber::set_global_default(Registry::default().with(MessageAlone));
            }
        }
        LogFormat::Json => {
            let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
            let _ = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_env_filter(filter)
                .with_writer(stderr)
                // Where nobody reads the log any more, there is nowhere to say so, and trying panics.
                .log_internal_errors(false)
                .try_init();
        }
    }
}

/// Hands events to env_logger, each with its message alone: that says it all, the fields are for machines. (tracing's own
/// feature "log" would append them.)
struct MessageAlone;

impl<S: Subscriber> Layer<S> for MessageAlone {
    /// So that what nobody wants is known at once.
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
