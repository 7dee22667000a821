//! Reads which counters a path names: `/counters/{id}/` names one, `/counters/{id},{id}/` a list.

use actix_web::HttpRequest;

use super::context::WorkerContext;
use super::error::ApiError;
use super::media::Media;
use crate::domain::{CounterId, CounterSet};

/// The media types in which counters can be read, the preferred one first.
pub(super) const READ_AS: [Media; 3] = [Media::Plain, Media::Json, Media::Stream];

/// The part of the path that names the counter or the counters, decoded.
pub(super) fn id_segment(request: &HttpRequest) -> &str {
    let rest = request.match_info().as_str().strip_prefix("/counters/").unwrap_or_default();
    rest.split_once('/').map_or(rest, |(id, _)| id)
}

/// The counter that the path names; 400 if the path names none or several, 404 if the service does not have that counter.
pub(super) fn counter_id(request: &HttpRequest, context: &WorkerContext) -> Result<CounterId, ApiError> {
    let id = parse_id(request)?;
    check_known(context, &id)?;
    Ok(id)
}

/// The counter that the path names; 400 if the path names none or several.
pub(super) fn parse_id(request: &HttpRequest) -> Result<CounterId, ApiError> {
    let text = id_segment(request);
    if CounterSet::is_list(text) {
        return Err(ApiError::BadRequest("a list of counters can only be read".into()));
    }
    text.parse().map_err(|error| ApiError::BadRequest(format!("{error}")))
}

/// The counters that the path names, with `separator` between their ids; 400 if the path has no such list, 404 if the service
/// does not have one of them.
pub(super) fn counter_set(
    request: &HttpRequest,
    context: &WorkerContext,
    separator: char,
) -> Result<CounterSet, ApiError> {
    let set = CounterSet::parse(id_segment(request), separator);
    let set = set.map_err(|error| ApiError::BadRequest(format!("{error}")))?;
    set.ids().iter().try_for_each(|id| check_known(context, id))?;
    Ok(set)
}

/// Checks that the service has this counter; 404 if not. A handler that needs a key checks the key before it calls this function,
/// so that a 401 or a 403 does not tell which counters there are.
pub(super) fn check_known(context: &WorkerContext, id: &CounterId) -> Result<(), ApiError> {
    match &context.shared.known {
        Some(known) if !known.contains(id) => {
            Err(ApiError::NotFound(format!("there is no counter {id} here")))
        }
        _ => Ok(()),
    }
}

/// The path to which the proxy sends its requests for a recovery. The path must be the same for all listeners of a stream,
/// because the proxy sends one request for all listeners that have the same path.
pub(super) fn recovery_path(ids: &str) -> String {
    format!("/counters/{ids}/recover")
}
