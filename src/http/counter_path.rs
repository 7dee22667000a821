//! Reads which counters a path names: `/counters/{id}/` names one, `/counters/{id},{id}/` a list.

use actix_web::HttpRequest;

use super::context::WorkerContext;
use super::error::ApiError;
use super::routing::name_behind;
use super::topic_list::{Naming, TopicList};
use crate::domain::{CounterId, ParseCounterIdError, Topic};

/// The part of the path that names the counter or the counters, decoded.
pub(super) fn id_segment(request: &HttpRequest) -> &str {
    name_behind("/counters/", request)
}

/// Whether a part of a path is meant to be a list of counters: the id of a counter has no comma.
pub(super) fn is_list(segment: &str) -> bool {
    segment.contains(',')
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
    // A list is no id, so an id need not be searched for commas.
    text.parse().map_err(|error: ParseCounterIdError| match is_list(text) {
        true => ApiError::BadRequest("a list of counters can only be read".into()),
        false => ApiError::BadRequest(format!("{error}")),
    })
}

/// The counters that the path names, with `separator` between their ids; 400 if the path has no such list, 404 if the service
/// does not have one of them.
pub(super) fn counter_list(
    request: &HttpRequest,
    context: &WorkerContext,
    separator: char,
) -> Result<TopicList, ApiError> {
    let ids: Vec<&str> = id_segment(request).split(separator).collect();
    let list = TopicList::parse(Naming::Counters, &ids, |text| {
        let id: CounterId = text.parse().map_err(|error| ApiError::BadRequest(format!("{error}")))?;
        check_known(context, &id)?;
        Ok((text.into(), Topic::counter(&id)))
    })?;
    match list.topics() {
        [_] => Err(ApiError::BadRequest(
            "a list names at least 2 different counters; one counter is read by its own address".into(),
        )),
        _ => Ok(list),
    }
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

/// The path to which the proxy sends its requests for a recovery of the counter's stream.
pub(super) fn recovery_path(id: &CounterId) -> String {
    format!("/counters/{id}/recover")
}
