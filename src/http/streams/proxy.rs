//! What a GRIP proxy says of itself and of its listeners.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

use crate::grip::LastSeen;
use crate::http::context::WorkerContext;

static GRIP_LAST: HeaderName = HeaderName::from_static("grip-last");
static GRIP_SIG: HeaderName = HeaderName::from_static("grip-sig");

/// Whether the request came through a GRIP proxy whose signature is valid.
pub(super) fn is_proxied(request: &HttpRequest, context: &WorkerContext) -> bool {
    let Some(verifier) = &context.shared.verifier else { return false };
    let signature = request.headers().get(&GRIP_SIG).map(|value| value.to_str().unwrap_or_default());
    verifier.accepts(signature, context.listeners.is_none())
}

/// The ids of the last events that the proxy's listeners have seen, by channel.
pub(super) fn last_seen(request: &HttpRequest) -> LastSeen {
    LastSeen::parse(request.headers().get_all(&GRIP_LAST).filter_map(|value| value.to_str().ok()))
}
