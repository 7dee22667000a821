//! A stream that this process holds itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::http::{ConnectionType, Version};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::answers::{first_event, read, uncached_stream};
use crate::domain::Topic;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::limit_checks::take_stream_slot;
use crate::hub::Listener;
use crate::limits::StreamSlot;
use crate::sse;

const TOO_MANY_STREAMS: &str = "this server holds as many streams as it can; try again later";
const STOPPING: &str = "this server is stopping; connect again";

/// Opens a stream that this process holds; 501 if this process holds none.
pub(super) async fn open(
    request: &HttpRequest,
    worker: &WorkerContext,
    topic: &Topic,
) -> Result<HttpResponse, ApiError> {
    let listeners = worker.streams.as_ref().ok_or(ApiError::NoProxy)?;
    let slot = take_stream_slot(request, worker)?;
    let permit = Arc::clone(&worker.shared.streams).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::Unavailable { detail: TOO_MANY_STREAMS, source: None })?;
    // The listener joins before the value is read, so that no event between the two is lost.
    let listener = listeners.listen(topic);
    let mut listener = listener.ok_or(ApiError::Unavailable { detail: STOPPING, source: None })?;
    let reading = read(worker, topic).await?;
    listener.skip_to(reading.id);
    let silence = worker.shared.keep_alive;
    let mut keep_alive = interval_at(Instant::now() + silence, silence);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let first = Some(first_event(topic, &reading).into());
    let events = EventStream { first, listener, keep_alive, _permit: permit, _slot: slot };
    let mut response = uncached_stream().streaming(events);
    if request.version() < Version::HTTP_11 {
        // A client of HTTP/1.0 would take the sizes of chunks for data. Its stream has no chunks and ends with the connection.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// The body of a stream: the first event, then each new event, and a keep-alive comment after each silence. It ends when the
/// hub closes. Dropping it gives its permit and its slot back.
struct EventStream {
    first: Option<Bytes>,
    listener: Listener,
    keep_alive: Interval,
    _permit: OwnedSemaphorePermit,
    _slot: Option<StreamSlot>,
}

impl Stream for EventStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Poll::Ready(event) = Pin::new(&mut self.listener).poll_next(context) {
            return Poll::Ready(event.map(Ok));
        }
        self.keep_alive.poll_tick(context).map(|_| Some(Ok(Bytes::from_static(sse::KEEP_ALIVE.as_bytes()))))
    }
}
