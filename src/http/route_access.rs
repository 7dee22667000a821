//! Checks that a request may use what is private: entities, feeds, queries, commands and the pages for administrators.
//!
//! The setting `public`, a key or a ticket allows a request. If the service has no keys and listens on a loopback address, a request that
//! comes straight from the same machine is allowed, too.

use actix_web::{HttpMessage, HttpRequest};

use super::access_checks::presented;
use super::context::WorkerContext;
use super::error::ApiError;
use super::local::is_local;
use crate::access::{Grant, Needed, Space, Verb};
use crate::domain::Route;
use crate::limits::RefusalReason;

/// Marks a request in its extensions as one of an administrator who has logged in with a browser, and who may do everything.
pub(super) struct OfAdministrator;

/// Checks that the request may do what it needs, and returns what allows it. 401 if the request has neither a key nor a ticket, or an unknown
/// one; 403 if the key or the ticket covers something else, or if there are no keys; 400 if the request has several.
pub(super) fn admit(
    request: &HttpRequest,
    context: &WorkerContext,
    needed: &Needed<'_>,
) -> Result<Grant, ApiError> {
    if request.extensions().contains::<OfAdministrator>() {
        return Ok(Grant::Local);
    }
    let shared = &context.shared;
    let is_local = shared.trusts_local && is_local(request);
    shared.access.admit(&presented(request)?, needed, is_local).map_err(|denied| {
        shared.limits.refusals.record(RefusalReason::Access);
        ApiError::Denied(Box::new(denied))
    })
}

/// Checks that the request may read the entities and the feed of a route, and returns what allows it.
pub(super) fn admit_reader(
    request: &HttpRequest,
    context: &WorkerContext,
    route: &Route,
) -> Result<Grant, ApiError> {
    admit(request, context, &Needed::One(Verb::Read, Space::Routes, route.as_str()))
}

/// Checks that the request may write under a route, with this verb. 403 if the service itself writes there.
pub(super) fn check_route_writer(
    request: &HttpRequest,
    context: &WorkerContext,
    verb: Verb,
    route: &Route,
) -> Result<(), ApiError> {
    if route.is_own() {
        return Err(ApiError::Forbidden(
            "routes that begin with _ are the service's own: they can be read, and not written".into(),
        ));
    }
    admit(request, context, &Needed::One(verb, Space::Routes, route.as_str())).map(drop)
}
