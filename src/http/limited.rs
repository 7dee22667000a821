//! What a client may take of the service: asked before anything is done for it. Where a limit is not set, nothing of it
//! is computed.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, X_FORWARDED_FOR};

use super::context::Context;
use super::error::ApiError;
use crate::limits::{Client, Refusal, StreamPlace};

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

/// Whose request it is.
fn client(request: &HttpRequest, context: &Context) -> Client {
    // Without a peer's address, which only a Unix socket has not, all are one client.
    let peer = request.peer_addr().map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
    let forwarded_for = request.headers().get_all(X_FORWARDED_FOR);
    context.shared.limits.trusted_proxies.client(peer, forwarded_for.map(|value| value.as_bytes()))
}
