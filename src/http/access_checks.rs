//! Checks that a request may do what it asks for, by the key or the ticket that it presents.
//!
//! A handler of what is not public calls [`require`] before it looks whether anything exists, so that 401 and 403 never tell
//! whether it does:
//!
//! ```ignore
//! let id = parse_id(&request)?;
//! require(&request, &context, &Needed::One(Verb::Manage, Space::Counters, id.as_str()))?;      // PUT, DELETE
//! require(&request, &context, &Needed::Beginning(Verb::Read, Space::Counters, &prefix))?;      // a list
//! ```
//!
//! What it answers then is for this client alone: `Cache-Control: no-store`, or `private` with an `ETag`.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use super::context::WorkerContext;
use super::error::ApiError;
use crate::access::{Needed, Presented, Space, Verb};
use crate::limits::RefusalReason;

/// The header with a key alone, beside `Authorization: Bearer`.
const OCEAN_KEY: &str = "x-ocean-key";

/// Checks that the key or the ticket of the request covers what it needs. 401 if there is none or an unknown one, 403 if it
/// covers something else, 400 if there are several.
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

/// Checks that the client may add to the counter; a counter that everyone may add to needs no key.
pub(super) fn check_writer(
    request: &HttpRequest,
    context: &WorkerContext,
    space: Space,
    name: &str,
) -> Result<(), ApiError> {
    if context.shared.access.anyone_may_write(space, name) {
        return Ok(());
    }
    require(request, context, &Needed::One(Verb::Write, space, name))
}

/// Whether the request carries any key or ticket, good or not.
pub(super) fn presents_something(request: &HttpRequest) -> Result<bool, ApiError> {
    Ok(presented(request)? != Presented::Nothing)
}

fn presented(request: &HttpRequest) -> Result<Presented<'_>, ApiError> {
    let texts = |name| {
        // A value with other bytes than ASCII is no key of ours; this character makes it an unknown one.
        request.headers().get_all(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
    };
    Presented::of(texts(AUTHORIZATION.as_str()), texts(OCEAN_KEY), request.query_string())
        .map_err(|error| ApiError::BadRequest(error.to_string()))
}
