//! A stream of events that this process holds itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::{FutureExt, LocalBoxFuture};
use tokio::time::Interval;

use super::answers::{rendered_missed, uncached_stream};
use super::guard::StreamGuard;
use super::held_here::{self, GuardChecks, StreamPlace, every, stopping};
use crate::domain::{EventId, GapReason, Topic};
use crate::http::caching;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::hub::{FeedListener, FeedNews};
use crate::sse;
use crate::store::{Missed, StoreError};

/// A listener that has joined, and its place among the streams of this process.
pub(super) struct Joined {
    listener: FeedListener,
    place: StreamPlace,
}

/// Joins a topic before the store is read, so that no event between the two is lost; 501 if this process holds no streams.
pub(super) fn join(request: &HttpRequest, worker: &WorkerContext, topic: &Topic) -> Result<Joined, ApiError> {
    let (place, listeners) = StreamPlace::take(request, worker)?;
    let listener = listeners.listen_to_feed(topic).ok_or_else(stopping)?;
    Ok(Joined { listener, place })
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
    checks: Option<GuardChecks>,
    _place: StreamPlace,
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
        let Joined { listener, place } = joined;
        let keep_alive = every(context.shared.keep_alive);
        FeedStream {
            first: None,
            listener,
            feed: None,
            context,
            missed: None,
            keep_alive,
            checks: None,
            _place: place,
        }
    }

    /// The answer with this body, which begins with `first`.
    pub(super) fn answer(mut self, request: &HttpRequest, first: String, guard: StreamGuard) -> HttpResponse {
        self.first = Some(first.into());
        self.checks = Some(GuardChecks::new(guard));
        let mut response = uncached_stream();
        caching::private_stream(&mut response);
        held_here::answer(request, response, self)
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
        if self.checks.as_mut().is_some_and(|checks| !checks.allow(context)) {
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
