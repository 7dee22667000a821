//! A stream of events that this process holds itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::http::{ConnectionType, Version};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::{FutureExt, LocalBoxFuture};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Interval;

use super::answers::{rendered_missed, uncached_stream};
use super::guard::{CHECK_EVERY, StreamGuard};
use super::in_process::{STOPPING, every};
use crate::domain::{EventId, GapReason, Topic};
use crate::http::caching;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::limit_checks::take_stream_slot;
use crate::hub::{FeedListener, FeedNews};
use crate::limits::StreamSlot;
use crate::sse;
use crate::store::{Missed, StoreError};

/// A listener that has joined, and its places among the streams of this process.
pub(super) struct Joined {
    listener: FeedListener,
    permit: OwnedSemaphorePermit,
    slot: Option<StreamSlot>,
}

/// Joins a topic before the store is read, so that no event between the two is lost; 501 if this process holds no streams.
pub(super) fn join(request: &HttpRequest, worker: &WorkerContext, topic: &Topic) -> Result<Joined, ApiError> {
    let listeners = worker.streams.as_ref().ok_or(ApiError::NoProxy)?;
    let slot = take_stream_slot(request, worker)?;
    let permit = Arc::clone(&worker.shared.streams).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::TooManyStreams)?;
    let listener = listeners.listen_to_feed(topic);
    let listener = listener.ok_or(ApiError::Unavailable { detail: STOPPING, source: None })?;
    Ok(Joined { listener, permit, slot })
}

/// The body of a stream: what it begins with, then each event, and a keep-alive comment after each silence. A listener that has missed more than the hub has
/// reads the store. The body ends when the hub closes, when the store does not answer, or when its guard does not allow it any more.
pub(super) struct FeedStream {
    first: Option<Bytes>,
    listener: FeedListener,
    /// The feed; `None` if the listener listens to several.
    feed: Option<Topic>,
    context: Data<WorkerContext>,
    missed: Option<LocalBoxFuture<'static, Result<Missed, StoreError>>>,
    keep_alive: Interval,
    checks: Option<(StreamGuard, Interval)>,
    _permit: OwnedSemaphorePermit,
    _slot: Option<StreamSlot>,
}

impl FeedStream {
    /// A stream of a feed whose events up to `seen` the client has or gets before.
    pub(super) fn of_feed(joined: Joined, context: Data<WorkerContext>, feed: Topic, seen: EventId) -> Self {
        let mut stream = FeedStream::below(joined, context);
        stream.listener.skip_to(seen);
        stream.feed = Some(feed);
        stream
    }

    /// A stream of all feeds below a route.
    pub(super) fn below(joined: Joined, context: Data<WorkerContext>) -> Self {
        let Joined { listener, permit, slot } = joined;
        let keep_alive = every(context.shared.keep_alive);
        FeedStream {
            first: None,
            listener,
            feed: None,
            context,
            missed: None,
            keep_alive,
            checks: None,
            _permit: permit,
            _slot: slot,
        }
    }

    /// The answer with this body, which begins with `first`.
    pub(super) fn answer(mut self, request: &HttpRequest, first: String, guard: StreamGuard) -> HttpResponse {
        self.first = Some(first.into());
        self.checks = Some((guard, every(CHECK_EVERY)));
        let mut response = uncached_stream();
        caching::private_stream(&mut response);
        let mut response = response.streaming(self);
        if request.version() < Version::HTTP_11 {
            // A client of HTTP/1.0 would take the sizes of chunks for data. Its stream has no chunks and ends with the connection.
            response.head_mut().no_chunking(true);
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }

    /// Whether the stream is still allowed. It is asked now and then.
    fn is_allowed(&mut self, context: &mut Context<'_>) -> bool {
        let Some((guard, interval)) = &mut self.checks else { return true };
        // The next tick must wake this stream, too.
        while interval.poll_tick(context).is_ready() {
            if !guard.still_allows() {
                return false;
            }
        }
        true
    }

    /// Goes on behind the events that the listener has missed.
    fn catch_up(&mut self, missed: &Missed) -> Bytes {
        let (seen, published) = (self.listener.seen(), missed.published);
        if !published.precedes(seen) {
            self.listener.skip_to(published);
        }
        let Some(feed) = &self.feed else { return Bytes::new() };
        rendered_missed(feed, seen, missed, None).into()
    }
}

impl Stream for FeedStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.is_allowed(context) {
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        loop {
            if let Some(missed) = &mut self.missed {
                let Ok(missed) = ready!(missed.poll_unpin(context)) else { return Poll::Ready(None) };
                self.missed = None;
                let bytes = self.catch_up(&missed);
                if !bytes.is_empty() {
                    return Poll::Ready(Some(Ok(bytes)));
                }
            }
            match Pin::new(&mut self.listener).poll_next(context) {
                Poll::Ready(Some(FeedNews::Events(bytes))) => return Poll::Ready(Some(Ok(bytes))),
                Poll::Ready(Some(FeedNews::Behind)) => match self.feed.clone() {
                    Some(feed) => {
                        let (worker, seen) = (self.context.clone(), self.listener.seen());
                        self.missed =
                            Some(async move { worker.live.missed(&feed, seen).await }.boxed_local());
                    }
                    None => {
                        self.listener.skip_to_newest();
                        let gap = sse::gap_without_id(None, GapReason::Prefix);
                        return Poll::Ready(Some(Ok(gap.into())));
                    }
                },
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        let keep_alive = ready!(self.keep_alive.poll_tick(context).map(|_| sse::KEEP_ALIVE.as_bytes()));
        Poll::Ready(Some(Ok(Bytes::from_static(keep_alive))))
    }
}
