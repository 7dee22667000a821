//! What a client may take of the service: asked before anything is done for it. Where a limit is not set, nothing of it
//! is computed.

use std::net::Ipv4Addr;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, X_FORWARDED_FOR};

use super::context::Context;
use super::error::ApiError;
use crate::domain::{Amount, IdempotencyKey, Topic};
use crate::limits::{Client, Exceeded, RateLimit, Refusal, Room, StreamPlace};
use crate::store::AddError;

/// The fields of draft-ietf-httpapi-ratelimit-headers-11: the limit that was met, and what is left of it.
pub(super) static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// When a client that has as many streams as it may should ask again, in seconds: one of them may have ended.
const STREAM_RETRY_SECONDS: u64 = 10;

/// Which limit a client has met, and when it may go on.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Limited {
    detail: String,
    /// `RateLimit-Policy`.
    pub(super) policy: String,
    /// `RateLimit`.
    pub(super) left: String,
    /// `Retry-After`, in seconds.
    pub(super) retry_after: u64,
}

impl Limited {
    /// The client has used up its rate of this name, which allows so many of `what`.
    fn by_rate(name: &str, what: &str, exceeded: Exceeded) -> Self {
        let Exceeded { number, window, wait } = exceeded;
        let retry_after = (wait.as_millis().div_ceil(1000) as u64).max(1);
        let window = window.as_secs();
        let unit = match window {
            1 => "a second",
            60 => "a minute",
            _ => "an hour",
        };
        Limited {
            detail: format!(
                "your address may send {number} {what} {unit}; try again in {retry_after} s; nothing was changed"
            ),
            policy: format!("\"{name}\";q={number};w={window}"),
            left: format!("\"{name}\";r=0;t={retry_after}"),
            retry_after,
        }
    }
}

/// Whether the client may write once more; 429 where not. Asked before the request is read any further, its body, too.
pub(super) fn write(request: &HttpRequest, context: &Context) -> Result<(), ApiError> {
    let Some(writes) = &context.shared.limits.writes else { return Ok(()) };
    check(writes, request, context, Refusal::Writes, |exceeded| {
        Limited::by_rate("writes", "requests that write", exceeded)
    })
}

/// Whether anybody may add so much; 403 where not.
pub(super) fn amount(context: &Context, amount: Amount) -> Result<(), ApiError> {
    let limits = &context.shared.limits;
    if limits.amounts.contain(amount) {
        return Ok(());
    }
    limits.refusals.add(Refusal::Amount);
    Err(ApiError::Forbidden(format!("by must be {} here; nothing was changed", limits.amounts)))
}

/// Adds, and returns the new value. Where new topics are limited, the store is first asked not to create one: only a topic
/// that would be new is counted, and costs a second question.
pub(super) async fn add(
    request: &HttpRequest,
    context: &Context,
    topic: Topic,
    amount: Amount,
    key: Option<IdempotencyKey>,
) -> Result<i64, ApiError> {
    let limits = &context.shared.limits;
    if limits.new_topics.is_none() && limits.topics.is_none() {
        return Ok(context.live.add(topic, amount, key, true).await?.value);
    }
    match context.live.add(topic.clone(), amount, key.clone(), false).await {
        Err(AddError::WouldBeNew) => {}
        answer => {
            let counted = answer?;
            if let (true, Some(topics)) = (counted.created, &limits.topics) {
                // Somebody who may create it has asked at the same time, and is told that it was there.
                topics.add_created();
            }
            return Ok(counted.value);
        }
    }
    if let Some(new_topics) = &limits.new_topics {
        check(new_topics, request, context, Refusal::NewTopics, |exceeded| {
            Limited::by_rate("new-topics", "requests that make something new", exceeded)
        })?;
    }
    let room = room(context).await?;
    let answer = context.live.add(topic, amount, key, true).await;
    let created = match &answer {
        Ok(counted) => counted.created,
        Err(error) => matches!(error, AddError::Unavailable(_)), // perhaps
    };
    if let (false, Some(room)) = (created, room) {
        room.unused();
    }
    Ok(answer?.value)
}

/// Room for a new topic, where there may not be any number of them; 507 where there is none.
async fn room(context: &Context) -> Result<Option<Room>, ApiError> {
    let limits = &context.shared.limits;
    let Some(topics) = &limits.topics else { return Ok(None) };
    let room = topics.room(async || context.live.topic_count().await).await;
    let room = room.map_err(|source| ApiError::Unavailable {
        detail: "the store does not say whether there is room for a new counter; nothing was changed; try again",
        source,
    })?;
    if room.is_none() {
        limits.refusals.add(Refusal::Topics);
        return Err(ApiError::TooManyTopics);
    }
    Ok(room)
}

/// A place among the streams that this process holds, where they are limited; 429 where the client has as many as it may.
pub(super) fn stream(request: &HttpRequest, context: &Context) -> Result<Option<StreamPlace>, ApiError> {
    let limits = &context.shared.limits;
    let Some(streams) = &limits.streams else { return Ok(None) };
    if let Some(place) = streams.acquire(client(request, context)) {
        return Ok(Some(place));
    }
    limits.refusals.add(Refusal::Streams);
    let most = streams.most();
    Err(ApiError::TooManyRequests(Box::new(Limited {
        detail: format!("your address has {most} streams open, which is as many as it may have"),
        policy: format!("\"streams\";q={most};qu=\"concurrent-requests\""),
        left: "\"streams\";r=0".to_owned(),
        retry_after: STREAM_RETRY_SECONDS,
    })))
}

fn check(
    rate: &RateLimit,
    request: &HttpRequest,
    context: &Context,
    refusal: Refusal,
    limited: impl FnOnce(Exceeded) -> Limited,
) -> Result<(), ApiError> {
    rate.check(client(request, context)).map_err(|exceeded| {
        context.shared.limits.refusals.add(refusal);
        ApiError::TooManyRequests(Box::new(limited(exceeded)))
    })
}

/// Whose request it is.
fn client(request: &HttpRequest, context: &Context) -> Client {
    // Without a peer's address, which only a Unix socket has not, all are one client.
    let peer = request.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
    let forwarded_for = request.headers().get_all(X_FORWARDED_FOR);
    context.shared.limits.trusted_proxies.client(peer, forwarded_for.map(|value| value.as_bytes()))
}
