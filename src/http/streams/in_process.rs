//! A stream that this process holds itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{SelectAll, select_all};
use tokio::time::Interval;

use super::answers::{first_events, read, uncached_stream};
use super::guard::StreamGuard;
use super::held_here::{self, GuardChecks, StreamPlace, TakenPlace, every, stopping};
use crate::domain::Topic;
use crate::http::caching;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::hub::Listener;
use crate::sse;

/// Opens a stream that this process holds at this place. The stream ends when `guard` does not allow it any more.
pub(super) async fn open(
    request: &HttpRequest,
    worker: &WorkerContext,
    (place, listeners): TakenPlace<'_>,
    topics: &[Topic],
    guard: Option<StreamGuard>,
) -> Result<HttpResponse, ApiError> {
    // The listeners join before the values are read, so that no event between the two is lost.
    let joined: Option<Vec<_>> = topics.iter().map(|topic| listeners.listen(topic)).collect();
    let mut joined = joined.ok_or_else(stopping)?;
    let readings = read(worker, topics).await?;
    joined.iter_mut().zip(&readings).for_each(|(listener, reading)| listener.skip_to(reading.id));
    let mut response = uncached_stream();
    if guard.is_some() {
        caching::private_stream(&mut response);
    }
    let events = EventStream {
        first: Some(first_events(topics, &readings).into()),
        listener: TopicEvents::of(joined),
        keep_alive: every(worker.shared.keep_alive),
        checks: guard.map(GuardChecks::new),
        _place: place,
    };
    Ok(held_here::answer(request, response, events))
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
/// the hub closes, or when its guard does not allow the stream any more. Dropping the body frees its place.
struct EventStream {
    first: Option<Bytes>,
    listener: TopicEvents,
    keep_alive: Interval,
    /// What checks a private stream.
    checks: Option<GuardChecks>,
    _place: StreamPlace,
}

impl Stream for EventStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.checks.as_mut().is_some_and(|checks| !checks.allow(context)) {
            return Poll::Ready(None);
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
