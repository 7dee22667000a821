//! Checks that a request may do what it asks for, by the key or the ticket that it presents.
//!
//! A handler of a resource that is not public calls [`require`] before it looks whether the resource exists. So a 401 or a 403
//! never tells whether the resource exists:
//!
//! ```text
//! let id = parse_id(&request)?;
//! require(&request, &context, &Needed::One(Verb::Manage, Space::Counters, id.as_str()))?;      // PUT, DELETE
//! require(&request, &context, &Needed::Beginning(Verb::Read, Space::Counters, &prefix))?;      // a list
//! ```
//!
//! The answer of such a handler is for this client alone: `Cache-Control: no-store`, or `private` with an `ETag`.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use super::context::WorkerContext;
use super::error::ApiError;
use crate::access::{Needed, Presented, Space};
use crate::limits::RefusalReason;

/// The header whose value is a key alone. A client may send `Authorization: Bearer` instead.
const OCEAN_KEY: &str = "x-ocean-key";

/// Checks that the key or the ticket of the request covers what the request needs. 401 if the request has neither or an unknown
/// one, 403 if the key or the ticket covers something else, 400 if the request has several.
pub(super) fn require(
    request: &HttpRequest,
    context: &WorkerContext,
    needed: &Needed<'_>,
) -> Result<(), ApiError> {
    let presented = presented(request)?;
    context.shared.access.require(&presented, needed).map_err(|denied| {
        context.shared.limits.refusals.record(RefusalReason::Access);
        ApiError::Denied(Box::new(denied))
    })
}

/// Checks that the client may add to the thing of this name. If every client may, the key of the request is not looked at.
pub(super) fn check_writer(
    request: &HttpRequest,
    context: &WorkerContext,
    space: Space,
    name: &str,
) -> Result<(), ApiError> {
    match context.shared.access.needed_to_write(space, name) {
        Some(needed) => require(request, context, &needed),
        None => Ok(()),
    }
}

/// Whether the request carries a key or a ticket, valid or not.
pub(super) fn presents_something(request: &HttpRequest) -> Result<bool, ApiError> {
    Ok(presented(request)? != Presented::Nothing)
}

/// The key or the ticket of the request; 400 if it has several.
pub(super) fn presented(request: &HttpRequest) -> Result<Presented<'_>, ApiError> {
    let texts = |name| {
        // No key of this service has bytes beyond ASCII. A value with such bytes becomes U+FFFD, which is an unknown key.
        request.headers().get_all(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
    };
    Presented::of(texts(AUTHORIZATION.as_str()), texts(OCEAN_KEY), request.query_string())
        .map_err(|error| ApiError::BadRequest(error.to_string()))
}
