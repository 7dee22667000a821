//! A stream that this process holds itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::http::{ConnectionType, Version};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{SelectAll, select_all};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::answers::{first_events, read, uncached_stream};
use super::guard::{CHECK_EVERY, StreamGuard};
use crate::domain::Topic;
use crate::http::caching;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::limit_checks::take_stream_slot;
use crate::hub::Listener;
use crate::limits::StreamSlot;
use crate::sse;

pub(super) const STOPPING: &str = "this server is stopping; connect again";

/// Opens a stream that this process holds; 501 if this process holds none. The stream ends when `guard` does not allow it any more.
pub(super) async fn open(
    request: &HttpRequest,
    worker: &WorkerContext,
    topics: &[Topic],
    guard: Option<StreamGuard>,
) -> Result<HttpResponse, ApiError> {
    let listeners = worker.streams.as_ref().ok_or(ApiError::NoProxy)?;
    let slot = take_stream_slot(request, worker)?;
    let permit = Arc::clone(&worker.shared.streams).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::TooManyStreams)?;
    // The listeners join before the values are read, so that no event between the two is lost.
    let joined: Option<Vec<_>> = topics.iter().map(|topic| listeners.listen(topic)).collect();
    let mut joined = joined.ok_or(ApiError::Unavailable { detail: STOPPING, source: None })?;
    let readings = read(worker, topics).await?;
    joined.iter_mut().zip(&readings).for_each(|(listener, reading)| listener.skip_to(reading.id));
    let silence = worker.shared.keep_alive;
    let is_private = guard.is_some();
    let checks = guard.map(|guard| (guard, every(CHECK_EVERY)));
    let first = Some(first_events(topics, &readings).into());
    let listener = TopicEvents::of(joined);
    let events =
        EventStream { first, listener, keep_alive: every(silence), checks, _permit: permit, _slot: slot };
    let mut response = uncached_stream();
    if is_private {
        caching::private_stream(&mut response);
    }
    let mut response = response.streaming(events);
    if request.version() < Version::HTTP_11 {
        // A client of HTTP/1.0 would take the sizes of chunks for data. Its stream has no chunks and ends with the connection.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// Ticks in this interval, for the first time when it is over.
pub(super) fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// The new events of a stream's topics: of each topic the latest. [`SelectAll`] asks only the listeners that have been woken,
/// each in its turn, so that a busy topic does not keep back the others.
enum TopicEvents {
    One(Listener),
    Several(SelectAll<Listener>),
}

impl TopicEvents {
    fn of(mut listeners: Vec<Listener>) -> Self {
        match listeners.pop() {
            Some(listener) if listeners.is_empty() => TopicEvents::One(listener),
            last => TopicEvents::Several(select_all(listeners.into_iter().chain(last))),
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self {
            TopicEvents::One(listener) => Pin::new(listener).poll_next(context),
            TopicEvents::Several(listeners) => Pin::new(listeners).poll_next(context),
        }
    }
}

/// The body of a stream: the first events, then each new event, and a keep-alive comment after each silence. The body ends when
/// the hub closes, or when its guard does not allow the stream any more. Dropping the body gives its permit and its slot back.
struct EventStream {
    first: Option<Bytes>,
    listener: TopicEvents,
    keep_alive: Interval,
    /// What a private stream is checked by, and when.
    checks: Option<(StreamGuard, Interval)>,
    _permit: OwnedSemaphorePermit,
    _slot: Option<StreamSlot>,
}

impl Stream for EventStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some((guard, interval)) = &mut self.checks
            && interval.poll_tick(context).is_ready()
        {
            if !guard.still_allows() {
                return Poll::Ready(None);
            }
            // The next tick must wake this stream, too.
            let _ = interval.poll_tick(context);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Poll::Ready(event) = self.listener.poll_next(context) {
            return Poll::Ready(event.map(Ok));
        }
        self.keep_alive.poll_tick(context).map(|_| Some(Ok(Bytes::from_static(sse::KEEP_ALIVE.as_bytes()))))
    }
}
