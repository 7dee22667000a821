//! What the streams that this process holds itself have in common: their places, their timers, and the head of their answers.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use actix_web::http::{ConnectionType, Version};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::guard::StreamGuard;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::limit_checks::take_stream_slot;
use crate::hub::WorkerListeners;
use crate::limits::StreamSlot;

/// How often this process asks whether a private stream that it holds is still allowed. A proxy asks at each recovery.
const CHECK_EVERY: Duration = Duration::from_secs(10);

/// A place among the streams of this process, and one among those of the client. Dropping it frees both.
pub(in crate::http) struct StreamPlace {
    _permit: OwnedSemaphorePermit,
    _slot: Option<StreamSlot>,
}

/// A place, with the listeners that the stream joins.
pub(in crate::http) type TakenPlace<'a> = (StreamPlace, &'a Arc<WorkerListeners>);

impl StreamPlace {
    /// Takes a place. 501 if this process holds no streams, 429 if the client has
    /// as many as it may have, 503 if this process has.
    pub(super) fn take<'a>(
        request: &HttpRequest,
        worker: &'a WorkerContext,
    ) -> Result<TakenPlace<'a>, ApiError> {
        let listeners = worker.listeners.as_ref().ok_or(ApiError::NoProxy)?;
        let slot = take_stream_slot(request, worker)?;
        let permit = worker.shared.stream_permit()?;
        Ok((StreamPlace { _permit: permit, _slot: slot }, listeners))
    }
}

/// The answer to a stream that begins while the process stops.
pub(super) fn stopping() -> ApiError {
    ApiError::Unavailable { detail: "this server is stopping; connect again", source: None }
}

/// Asks now and then whether a stream is still allowed.
pub(super) struct GuardChecks {
    guard: StreamGuard,
    interval: Interval,
}

impl GuardChecks {
    pub(super) fn new(guard: StreamGuard) -> Self {
        GuardChecks { guard, interval: every(CHECK_EVERY) }
    }

    /// Whether the stream is still allowed, as far as it was asked. The task of the stream is woken when it must be asked again.
    pub(super) fn allow(&mut self, context: &mut Context<'_>) -> bool {
        while self.interval.poll_tick(context).is_ready() {
            if !self.guard.still_allows() {
                return false;
            }
        }
        true
    }
}

/// Ticks in this interval, for the first time when it is over.
pub(super) fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Answers a stream whose events come one after the other.
pub(super) fn answer<S, E>(
    request: &HttpRequest,
    mut response: HttpResponseBuilder,
    events: S,
) -> HttpResponse
where
    S: Stream<Item = Result<Bytes, E>> + 'static,
    E: std::error::Error + 'static,
{
    let mut response = response.streaming(events);
    if request.version() < Version::HTTP_11 {
        // A client of HTTP/1.0 would take the sizes of chunks for data. Its stream has no chunks and ends with the connection.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}
