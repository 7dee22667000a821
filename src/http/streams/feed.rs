//! Streams of the events of a feed, or of all feeds below a route.
//!
//! A stream of a feed goes on behind what the client has seen. If the store cannot tell all that the client has missed, the stream begins with one
//! event `gap`, and then has the next events: never a part of what is missing.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use tokio::time::{Instant, sleep};

use super::answers::{reconnect_delay, rendered, rendered_missed, uncached_stream};
use super::feed_in_process::{self, FeedStream};
use super::guard::{StreamGuard, StreamSubject, guard_of_pass};
use super::proxy::last_seen;
use super::{RECOVER_AFTER, hold_channels, private_recovery_path};
use crate::domain::{EventId, GapReason, Topic};
use crate::http::caching;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::sse;

/// How long an opening waits until the event that the client has seen is announced. Otherwise a proxy would send it for the second time.
const WAIT_FOR_CLAIM: Duration = Duration::from_secs(2);
/// How often the opening looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A channel on which nothing is ever published. A proxy starts its time of silence anew only when each channel of a stream has had an item, so a stream that is
/// held on this channel, too, is recovered however busy its other channel is. The name is that of no topic.
const SILENT_CHANNEL: &str = "silent";
/// How often a proxy asks whether a stream of all feeds below a route may go on. While the proxy asks, it keeps back 100 items for each listener and drops more.
const CHECK_BELOW_AFTER: Duration = Duration::from_secs(30);

/// Where a stream of a feed begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Beginning {
    /// With the next event.
    Next,
    /// Behind the event that the client has seen; `None` if the client has seen one that cannot be of this feed.
    After(Option<EventId>),
    /// With so many of the last events.
    Last(usize),
}

/// What a stream begins with, and the id of the last event before the next ones.
struct Opening {
    content: String,
    seen: EventId,
}

/// Opens a stream of a feed. It ends within a minute after `guard` does not allow it any more.
pub(in crate::http) async fn open(
    request: &HttpRequest,
    context: Data<WorkerContext>,
    feed: Topic,
    beginning: Beginning,
    guard: StreamGuard,
) -> Result<HttpResponse, ApiError> {
    if request.method() == Method::HEAD {
        return Ok(head());
    }
    let Some(pass) = guard.pass(request, &context)? else {
        let joined = feed_in_process::join(request, &context, &feed)?;
        let opening = opening(&context, &feed, beginning, false).await?;
        let stream = FeedStream::of_feed(joined, context, feed, opening.seen);
        return Ok(stream.answer(request, opening.content, guard));
    };
    let opening = opening(&context, &feed, beginning, true).await?;
    let mut response = HttpResponse::Ok();
    caching::private_stream(&mut response);
    let channel = (feed.channel(&context.shared.prefix), Some(opening.seen.to_string()));
    let path = private_recovery_path(&pass, &feed);
    hold_channels(&mut response, &context, vec![channel], &path, RECOVER_AFTER)?;
    Ok(response.body(opening.content))
}

/// Opens a stream of all feeds below a route. Its events are in no order, and it has no past: if the client has `seen` an event, the stream begins with
/// a gap.
pub(in crate::http) async fn open_below(
    request: &HttpRequest,
    context: Data<WorkerContext>,
    topic: Topic,
    has_seen: bool,
    guard: StreamGuard,
) -> Result<HttpResponse, ApiError> {
    if request.method() == Method::HEAD {
        return Ok(head());
    }
    let content = match has_seen {
        true => sse::gap_without_id(Some(reconnect_delay()), GapReason::Prefix),
        false => sse::opening(reconnect_delay()),
    };
    let Some(pass) = guard.pass(request, &context)? else {
        let joined = feed_in_process::join(request, &context, &topic)?;
        return Ok(FeedStream::below(joined, context).answer(request, content, guard));
    };
    let mut response = HttpResponse::Ok();
    caching::private_stream(&mut response);
    hold_below(&mut response, &context, &pass, &topic)?;
    Ok(response.body(content))
}

/// Answers a proxy that asks what the listeners of a feed have missed, or whether those to all feeds below a route may go on. If the stream is not
/// allowed any more, the answer is no hold, so that the proxy ends the stream.
pub(in crate::http) async fn recover(
    request: &HttpRequest,
    context: &WorkerContext,
    pass: &str,
    topic: &Topic,
    subject: StreamSubject,
) -> Result<HttpResponse, ApiError> {
    let is_feed = matches!(subject, StreamSubject::Route(_));
    if guard_of_pass(request, context, pass, subject)?.is_none() {
        return Ok(uncached_stream().body(""));
    }
    let mut response = HttpResponse::Ok();
    caching::private_stream(&mut response);
    if !is_feed {
        hold_below(&mut response, context, pass, topic)?;
        return Ok(response.body(""));
    }
    let channel = topic.channel(&context.shared.prefix);
    let seen = last_seen(request).on(&channel).and_then(|id| id.parse().ok());
    let Opening { content, seen } = behind(context, topic, seen, None).await?;
    let channels = vec![(channel, Some(seen.to_string()))];
    hold_channels(&mut response, context, channels, &private_recovery_path(pass, topic), RECOVER_AFTER)?;
    Ok(response.body(content))
}

fn hold_below(
    response: &mut actix_web::HttpResponseBuilder,
    context: &WorkerContext,
    pass: &str,
    topic: &Topic,
) -> Result<(), ApiError> {
    let prefix = &context.shared.prefix;
    let channels = vec![(topic.channel(prefix), None), ([prefix, SILENT_CHANNEL].concat(), None)];
    Ok(hold_channels(response, context, channels, &private_recovery_path(pass, topic), CHECK_BELOW_AFTER)?)
}

/// The answer to a HEAD, without a hold and without a body.
fn head() -> HttpResponse {
    let mut response = uncached_stream();
    caching::private_stream(&mut response);
    response.finish().set_body(actix_web::body::None::new()).map_into_boxed_body()
}

async fn opening(
    context: &WorkerContext,
    feed: &Topic,
    beginning: Beginning,
    is_held: bool,
) -> Result<Opening, ApiError> {
    let retry = reconnect_delay();
    let count = match beginning {
        Beginning::After(seen) => {
            if let (Some(seen), true) = (seen, is_held) {
                await_claim(context, feed, seen).await?;
            }
            return behind(context, feed, seen, Some(retry)).await;
        }
        Beginning::Next => 0,
        Beginning::Last(count) => count,
    };
    let page = context.live.feed_page(feed, None, count).await.map_err(ApiError::unread)?;
    Ok(Opening { content: rendered(feed, &page.events, Some(retry)), seen: page.published })
}

/// What a listener gets that has seen `seen`; with `retry`, as the beginning of a stream.
async fn behind(
    context: &WorkerContext,
    feed: &Topic,
    seen: Option<EventId>,
    retry: Option<Duration>,
) -> Result<Opening, ApiError> {
    let Some(seen) = seen else {
        let page = context.live.feed_page(feed, None, 0).await.map_err(ApiError::unread)?;
        let content = sse::gap(retry, feed, None, page.published, GapReason::Unknown);
        return Ok(Opening { content, seen: page.published });
    };
    let missed = context.live.missed(feed, seen).await.map_err(ApiError::unread)?;
    let content = rendered_missed(feed, seen, &missed, retry);
    // The client may have seen an event that is not announced yet, also in a later epoch than that of the last claim. The revisions of a feed that knows the event
    // go on through all epochs.
    let is_ahead = missed.events.is_ok() && missed.published.revision < seen.revision;
    Ok(Opening { content, seen: if is_ahead { seen } else { missed.published } })
}

/// Waits until the event is announced, if the store has it and it is not. A client can read or write an event before its announcement, and a proxy sends each
/// announcement whole.
async fn await_claim(context: &WorkerContext, feed: &Topic, seen: EventId) -> Result<(), ApiError> {
    let until = Instant::now() + WAIT_FOR_CLAIM;
    loop {
        let missed = context.live.missed(feed, seen).await.map_err(ApiError::unread)?;
        let waits = missed.deletion.is_none() && missed.published != seen && missed.events == Ok(Vec::new());
        if !waits || Instant::now() >= until {
            return Ok(());
        }
        context.announcer.changed(vec![feed.clone()]);
        sleep(LOOK_EVERY).await;
    }
}
