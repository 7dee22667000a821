//! Event streams. The GRIP proxy that a request came through holds its stream; without a proxy this process holds the
//! stream, if it can.

mod answers;
mod feed;
mod feed_in_process;
mod guard;
mod held_here;
mod in_process;
mod proxy;

use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::caching::{self, NO_STORE, NamedBy};
use super::context::WorkerContext;
use super::error::ApiError;
use crate::domain::{EventId, Topic};
use crate::grip::{Hold, HoldError};
use crate::sse;
use crate::store::Reading;
use answers::{event, first_events, head, read, uncached_stream};
pub(super) use feed::{Beginning, open as open_feed, open_below, recover as recover_feed};
pub(super) use guard::{StreamGuard, StreamSubject, guard_of_pass};
use held_here::{StreamPlace, TakenPlace};
use proxy::{is_proxied, last_seen};

/// With this header a client that has lost its stream names the last event that it has seen.
pub(super) static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How often the proxy asks for a recovery while its listeners hear nothing. A lost publish that no other one follows heals
/// within twice this time, because Pushpin does not restart its timer at each publish.
const RECOVER_AFTER: Duration = Duration::from_secs(15);
/// How soon the proxy asks for the first recovery of a new stream. The hold that opened the stream may have been a stale copy
/// from a cache. Pushpin compares the hold with the message it published last, but only until it has found one difference. A
/// later listener that is opened with the same stale copy would otherwise wait for the next publish.
const RECOVER_NEW_AFTER: Duration = Duration::from_secs(3);

/// Who holds the stream of a request.
pub(super) enum Holder<'a> {
    /// Nobody: a HEAD gets the head of the answer alone.
    Nobody,
    /// The proxy through which the request came.
    Proxy,
    /// This process, at this place.
    Here(TakenPlace<'a>),
}

impl<'a> Holder<'a> {
    /// Who holds the stream of the request, with the place that it takes if this process does. 501 if nobody would hold it, 429 if the
    /// client has as many streams as it may have, 503 if this process has.
    pub(super) fn of(request: &HttpRequest, context: &'a WorkerContext) -> Result<Self, ApiError> {
        if request.method() == Method::HEAD {
            return Ok(Holder::Nobody);
        }
        if is_proxied(request, context) {
            return Ok(Holder::Proxy);
        }
        StreamPlace::take(request, context).map(Holder::Here)
    }
}

/// Opens a stream that begins with the present value of each topic. `named_by` says what in the request names the topics.
pub(super) async fn open(
    request: &HttpRequest,
    context: &WorkerContext,
    holder: Holder<'_>,
    topics: &[Topic],
    named_by: NamedBy,
    recovery_path: &str,
) -> Result<HttpResponse, ApiError> {
    if let Some(answer) = answer_without_proxy(request, context, holder, topics).await? {
        return Ok(answer);
    }
    let readings = read(context, topics).await?;
    let mut response = HttpResponse::Ok();
    match named_by {
        NamedBy::Url => context.shared.cache.held(&mut response, topics),
        NamedBy::Referer => caching::streamed(&mut response),
    }
    hold(&mut response, context, topics, &readings, recovery_path, RECOVER_NEW_AFTER)?;
    Ok(response.body(first_events(topics, &readings)))
}

/// Answers a proxy that asks whether its listeners have missed an event. The body has the value of each topic of which they have
/// missed an event, and is empty if they have missed none; the answer is a hold in either case. The answer is never cached,
/// because a stale answer would cut listeners off.
pub(super) async fn recover(
    request: &HttpRequest,
    context: &WorkerContext,
    topics: &[Topic],
    recovery_path: &str,
) -> Result<HttpResponse, ApiError> {
    let holder = Holder::of(request, context)?;
    if let Some(answer) = answer_without_proxy(request, context, holder, topics).await? {
        return Ok(answer);
    }
    recover_held(request, context, topics, recovery_path).await
}

/// Opens a stream of one topic that begins with its present state, and ends within a minute after `guard` does not allow it any more.
pub(super) async fn open_private(
    request: &HttpRequest,
    context: &WorkerContext,
    topic: &Topic,
    guard: StreamGuard,
) -> Result<HttpResponse, ApiError> {
    let topics = std::slice::from_ref(topic);
    if request.method() == Method::HEAD {
        return head(context, topics).await;
    }
    let Some(pass) = guard.pass(request, context)? else {
        let place = StreamPlace::take(request, context)?;
        return in_process::open(request, context, place, topics, Some(guard)).await;
    };
    let readings = read(context, topics).await?;
    let mut response = HttpResponse::Ok();
    caching::private_stream(&mut response);
    let recovery_path = private_recovery_path(&pass, topic);
    hold(&mut response, context, topics, &readings, &recovery_path, RECOVER_NEW_AFTER)?;
    Ok(response.body(first_events(topics, &readings)))
}

/// Answers a proxy that asks whether the listeners of a private stream have missed an event. If the stream is not allowed any more, the answer is no hold, so
/// that the proxy ends the stream.
pub(super) async fn recover_private(
    request: &HttpRequest,
    context: &WorkerContext,
    pass: &str,
    topic: &Topic,
    subject: StreamSubject,
) -> Result<HttpResponse, ApiError> {
    match guard_of_pass(request, context, pass, subject)? {
        Some(_) => {
            let path = private_recovery_path(pass, topic);
            recover_held(request, context, std::slice::from_ref(topic), &path).await
        }
        None => Ok(uncached_stream().body("")),
    }
}

/// The path of the recoveries of a private stream. Proxies share the answers of one path, so everything that an answer depends on is in it.
fn private_recovery_path(pass: &str, topic: &Topic) -> String {
    format!("/recover/{pass}/{topic}")
}

/// Answers what the listeners of a held stream have missed, and holds the stream again.
async fn recover_held(
    request: &HttpRequest,
    context: &WorkerContext,
    topics: &[Topic],
    recovery_path: &str,
) -> Result<HttpResponse, ApiError> {
    let seen = last_seen(request);
    let readings = read(context, topics).await?;
    let mut missed = String::new();
    for (topic, reading) in topics.iter().zip(&readings) {
        let seen = seen.on(&topic.channel(&context.shared.prefix)).and_then(|id| id.parse::<EventId>().ok());
        if seen.is_some_and(|seen| reading.id.precedes(seen)) {
            // The store has lost an event that these listeners have seen. Other listeners and the cache may have this event, too,
            // so the announcer announces the value that is left.
            context.announcer.changed(vec![topic.clone()]);
        }
        if seen != Some(reading.published) {
            missed.push_str(&event(None, topic, reading));
        }
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, NO_STORE.clone()));
    hold(&mut response, context, topics, &readings, recovery_path, RECOVER_AFTER)?;
    Ok(response.body(missed))
}

/// The answer to a request that no proxy holds: a HEAD, or a stream that this process holds itself. `None` if a proxy is
/// to hold the stream.
async fn answer_without_proxy(
    request: &HttpRequest,
    context: &WorkerContext,
    holder: Holder<'_>,
    topics: &[Topic],
) -> Result<Option<HttpResponse>, ApiError> {
    match holder {
        Holder::Nobody => head(context, topics).await.map(Some),
        Holder::Proxy => Ok(None),
        Holder::Here(place) => in_process::open(request, context, place, topics, None).await.map(Some),
    }
}

/// Adds the headers that tell the proxy to hold the stream, with a channel for each topic. A channel's prev-id is the id that
/// was *published* last, not the present one. With the present one, a listener that joins between two publishes would seem to have missed the next.
fn hold(
    response: &mut HttpResponseBuilder,
    context: &WorkerContext,
    topics: &[Topic],
    readings: &[Reading],
    recovery_path: &str,
    recover_after: Duration,
) -> Result<(), HoldError> {
    let channels = topics
        .iter()
        .zip(readings)
        .map(|(topic, reading)| (topic.channel(&context.shared.prefix), Some(reading.published.to_string())));
    hold_channels(response, context, channels, recovery_path, recover_after)
}

/// Adds the headers that tell the proxy to hold the stream on these channels, each with the id that its next item follows. Items of a channel without an id
/// follow no other item.
fn hold_channels(
    response: &mut HttpResponseBuilder,
    context: &WorkerContext,
    channels: impl IntoIterator<Item = (String, Option<String>)>,
    recovery_path: &str,
    recover_after: Duration,
) -> Result<(), HoldError> {
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE)));
    let mut channels = channels.into_iter();
    let (channel, prev_id) = channels.next().unwrap_or_default();
    let first = Hold::stream(&channel, prev_id.as_deref())?;
    let hold = channels
        .try_fold(first, |hold, (channel, prev_id)| hold.and(&channel, prev_id.as_deref()))?
        .keep_alive(sse::KEEP_ALIVE, context.shared.keep_alive)?
        .next(recovery_path, recover_after)?;
    for (name, value) in hold.into_headers() {
        response.insert_header((HeaderName::from_static(name), value));
    }
    Ok(())
}
