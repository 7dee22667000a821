//! Streams: held by the GRIP proxy that the request came through, or by this process, or not at all.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{self, Poll};
use std::time::Duration;

use actix_web::body;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, Version};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::caching::{self, NO_STORE};
use super::context::Context;
use super::error::ApiError;
use super::limited;
use crate::domain::{EventId, Topic};
use crate::grip::{Hold, HoldError, LastSeen};
use crate::hub::Listener;
use crate::limits::StreamPlace;
use crate::sse;
use crate::store::Reading;

/// How often the proxy asks on behalf of listeners who have heard nothing since it asked last. So a lost *last* publish
/// heals within twice this time: Pushpin's timer is not wound up anew by each publish.
const RECOVER_AFTER: Duration = Duration::from_secs(15);
/// The same for those who have just joined, until their first recovery. What they were opened with may be a copy that
/// a cache should no longer have had. Pushpin compares it with what it published last, but only until it has found one
/// difference: whoever joins with the same copy after that would wait for the next publish.
const RECOVER_NEW_AFTER: Duration = Duration::from_secs(3);

const TOO_MANY_STREAMS: &str = "this server holds as many streams as it can; try again later";
/// The least and the greatest reconnect delay, in milliseconds.
const RECONNECT_AFTER: (u64, u64) = (1500, 3000);

static GRIP_LAST: HeaderName = HeaderName::from_static("grip-last");
static GRIP_SIG: HeaderName = HeaderName::from_static("grip-sig");

/// Begins a stream with the topic's present value.
pub(super) async fn open(
    request: &HttpRequest,
    context: &Context,
    topic: Topic,
    recovery_path: &str,
) -> Result<HttpResponse, ApiError> {
    if request.method() == Method::HEAD {
        return head(context, &topic).await;
    }
    if !is_proxied(request, context) {
        return direct(request, context, topic).await;
    }
    let reading = read(context, &topic).await?;
    let mut response = HttpResponse::Ok();
    context.shared.cache.held(&mut response, &topic);
    hold(&mut response, context, &topic, &reading, recovery_path, RECOVER_NEW_AFTER)?;
    Ok(response.body(opening(&topic, &reading)))
}

/// Answers the proxy's question whether listeners have missed something: the value if so, nothing if not, and a hold
/// again in either case. Never cached: a stale answer would cut listeners off.
pub(super) async fn recover(
    request: &HttpRequest,
    context: &Context,
    topic: Topic,
    recovery_path: &str,
) -> Result<HttpResponse, ApiError> {
    if request.method() == Method::HEAD {
        return head(context, &topic).await;
    }
    if !is_proxied(request, context) {
        return direct(request, context, topic).await;
    }
    let seen = last_seen(request, context, &topic);
    let reading = read(context, &topic).await?;
    if seen.is_some_and(|seen| reading.id.precedes(seen)) {
        // The store has lost what these listeners were told. So have others been, and the cache: announce what is left.
        context.announcer.changed(vec![topic.clone()]);
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, NO_STORE.clone()));
    hold(&mut response, context, &topic, &reading, recovery_path, RECOVER_AFTER)?;
    if seen == Some(reading.published) {
        Ok(response.body(Bytes::new()))
    } else {
        Ok(response.body(sse::render(None, topic.stream_id(reading.id), &reading.value.to_string())))
    }
}

/// Whether a GRIP proxy whose signature we trust holds this request.
fn is_proxied(request: &HttpRequest, context: &Context) -> bool {
    let Some(verifier) = &context.shared.verifier else { return false };
    let signature = request.headers().get(&GRIP_SIG).map(|value| value.to_str().unwrap_or_default());
    verifier.accepts(signature, context.streams.is_none())
}

/// What the proxy says its listeners have seen last; `None` also for an id that was never ours.
fn last_seen(request: &HttpRequest, context: &Context, topic: &Topic) -> Option<EventId> {
    let values = request.headers().get_all(&GRIP_LAST).filter_map(|value| value.to_str().ok());
    LastSeen::parse(values).on(&topic.channel(&context.shared.prefix))?.parse().ok()
}

async fn read(context: &Context, topic: &Topic) -> Result<Reading, ApiError> {
    context.live.read(topic.clone()).await.map_err(ApiError::unread)
}

/// What a stream begins with. All who are answered from a cache with one copy of a hold share its reconnect delay.
fn opening(topic: &Topic, reading: &Reading) -> String {
    sse::render(Some(reconnect_delay()), topic.stream_id(reading.id), &reading.value.to_string())
}

/// How long the client of the next stream waits before it reconnects: listeners that a restart cuts off all at once must
/// not return all at once. Steps of the golden ratio spread any run of streams evenly.
fn reconnect_delay() -> Duration {
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| getrandom::u32().unwrap_or_default().into());
    const STEP: u32 = 0x9e37_79b9;
    let share = u64::from(NEXT.fetch_add(STEP, Ordering::Relaxed));
    let (least, most) = RECONNECT_AFTER;
    Duration::from_millis(least + ((share * (most - least + 1)) >> 32))
}

/// The hold. Its prev-id is what was last *published*, not the present revision: with the present one everybody who
/// joins between two publishes would seem to have missed the next.
fn hold(
    response: &mut HttpResponseBuilder,
    context: &Context,
    topic: &Topic,
    reading: &Reading,
    recovery_path: &str,
    recover_after: Duration,
) -> Result<(), HoldError> {
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE)));
    let hold = Hold::stream(&topic.channel(&context.shared.prefix), Some(&reading.published.to_string()))?
        .keep_alive(sse::KEEP_ALIVE, context.shared.keep_alive)?
        .next(recovery_path, recover_after)?;
    for (name, value) in hold.into_headers() {
        response.insert_header((HeaderName::from_static(name), value));
    }
    Ok(())
}

/// The head of a stream, which nobody holds: asked to, Pushpin would keep the connection for ever and write events where
/// the client expects its next answer. Not for caches, as it is no answer to a listener: that one needs the hold.
async fn head(context: &Context, topic: &Topic) -> Result<HttpResponse, ApiError> {
    read(context, topic).await?;
    // No body of no length: a `Content-Length: 0` would say something of the stream.
    Ok(uncacheable().finish().set_body(body::None::new()).map_into_boxed_body())
}

/// A stream, or its head, that no proxy holds: not for caches.
fn uncacheable() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE)));
    caching::streamed(&mut response);
    response
}

/// A stream held in this process, where that is how it runs.
async fn direct(request: &HttpRequest, context: &Context, topic: Topic) -> Result<HttpResponse, ApiError> {
    let streams = context.streams.as_ref().ok_or(ApiError::NoProxy)?;
    let place = limited::stream(request, context)?;
    let permit = Arc::clone(&context.shared.streams).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::Unavailable { detail: TOO_MANY_STREAMS, source: None })?;
    // Join first, then read: so nothing falls between.
    let mut listener = streams
        .listen(&topic)
        .ok_or(ApiError::Unavailable { detail: "this server is stopping; connect again", source: None })?;
    let reading = read(context, &topic).await?;
    listener.skip_to(reading.id);
    let silence = context.shared.keep_alive;
    let mut keep_alive = interval_at(Instant::now() + silence, silence);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let opening = opening(&topic, &reading).into();
    let mut response = uncacheable().streaming(Events {
        opening: Some(opening),
        listener,
        keep_alive,
        _permit: permit,
        _place: place,
    });
    if request.version() < Version::HTTP_11 {
        // A client of HTTP/1.0 would take the sizes of chunks for data: its stream ends with the connection.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// The opening, then every new event, with comments into the silence; ends when the hub closes.
struct Events {
    opening: Option<Bytes>,
    listener: Listener,
    keep_alive: Interval,
    _permit: OwnedSemaphorePermit,
    _place: Option<StreamPlace>,
}

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(opening) = self.opening.take() {
            return Poll::Ready(Some(Ok(opening)));
        }
        if let Poll::Ready(event) = Pin::new(&mut self.listener).poll_next(context) {
            return Poll::Ready(event.map(Ok));
        }
        self.keep_alive.poll_tick(context).map(|_| Some(Ok(Bytes::from_static(sse::KEEP_ALIVE.as_bytes()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnect_delays_are_spread_over_their_range() {
        let mut delays: Vec<_> = (0..1000).map(|_| reconnect_delay().as_millis()).collect();
        delays.sort_unstable();
        assert!(delays[0] >= 1500 && delays[999] <= 3000, "{delays:?}");
        assert!(delays.windows(2).all(|pair| pair[1] - pair[0] <= 5), "no gap, so no crowd: {delays:?}");
    }
}
