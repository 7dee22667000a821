//! The parts that all answers about streams share, whether a proxy or this process holds the stream.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::body;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};

use crate::domain::{EventId, FeedEvent, GapReason, Topic};
use crate::http::caching;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::sse;
use crate::store::{Missed, Reading};

/// The least and the greatest reconnect delay, in milliseconds.
const RECONNECT_AFTER: (u64, u64) = (1500, 3000);

/// Reads the present value of each topic, in their order.
pub(super) async fn read(context: &WorkerContext, topics: &[Topic]) -> Result<Vec<Reading>, ApiError> {
    context.live.read_all(topics).await.map_err(ApiError::unread)
}

/// The events that a stream begins with, one for each topic; the first has the reconnect delay. Listeners that a cache
/// answers with one copy of a hold share that delay.
pub(super) fn first_events(topics: &[Topic], readings: &[Reading]) -> String {
    let mut retry = Some(reconnect_delay());
    topics.iter().zip(readings).map(|(topic, reading)| event(retry.take(), topic, reading)).collect()
}

/// The event that shows a topic's present value.
pub(super) fn event(retry: Option<Duration>, topic: &Topic, reading: &Reading) -> String {
    sse::render_body(retry, topic, &reading.body, reading.id)
}

/// The events of a feed as listeners get them; with `retry`, as the beginning of a stream.
pub(super) fn rendered(feed: &Topic, events: &[FeedEvent], mut retry: Option<Duration>) -> String {
    match (events, retry) {
        ([], Some(retry)) => sse::opening(retry),
        _ => events
            .iter()
            .map(|event| sse::render(retry.take(), feed.stream_id(event.id), event.data.as_str()))
            .collect(),
    }
}

/// What a listener to a feed has missed that has seen `seen`, as listeners get it; with `retry`, as the beginning of a stream. A gap goes up to the last claim, or to
/// the deletion of the feed, behind which come the events written since.
pub(super) fn rendered_missed(
    feed: &Topic,
    seen: EventId,
    missed: &Missed,
    retry: Option<Duration>,
) -> String {
    match (&missed.events, missed.deletion) {
        (Ok(events), None) => rendered(feed, events, retry),
        (Ok(events), Some(deletion)) => {
            sse::gap(retry, feed, Some(seen), deletion, GapReason::Deleted) + &rendered(feed, events, None)
        }
        (Err(reason), _) => sse::gap(retry, feed, Some(seen), missed.published, *reason),
    }
}

/// How long the client of the next stream waits before it reconnects. The delays differ so that listeners that a restart
/// cuts off at the same time do not return at the same time. Steps of the golden ratio spread any sequence of delays evenly.
pub(super) fn reconnect_delay() -> Duration {
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| getrandom::u32().unwrap_or_default().into());
    const STEP: u32 = 0x9e37_79b9;
    let share = u64::from(NEXT.fetch_add(STEP, Ordering::Relaxed));
    let (least, most) = RECONNECT_AFTER;
    Duration::from_millis(least + ((share * (most - least + 1)) >> 32))
}

/// The answer to a HEAD. It carries no hold: Pushpin would hold the connection for ever and write events where the client
/// expects its next answer. It must not be cached, because a listener's request needs the hold.
pub(super) async fn head(context: &WorkerContext, topics: &[Topic]) -> Result<HttpResponse, ApiError> {
    read(context, topics).await?;
    // An empty body would send `Content-Length: 0`, which is not the length of the stream.
    Ok(uncached_stream().finish().set_body(body::None::new()).map_into_boxed_body())
}

/// The headers of a stream that no proxy holds. They keep caches from storing the stream.
pub(super) fn uncached_stream() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE)));
    caching::streamed(&mut response);
    response
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
