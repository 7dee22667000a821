//! `/topics/{name},{name}/`: read counters, pages and sites together by the names of their topics, or listen to all of them in one
//! stream.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use smol_str::SmolStr;

use super::context::WorkerContext;
use super::counter_path::check_known;
use super::error::ApiError;
use super::hit_request::rules;
use super::routing::name_behind;
use super::topic_list::{Naming, RECOVERY_SEPARATOR, TopicList};
use crate::domain::{Kind, Topic, public_topic};

/// Answers the values as lines of text or as a JSON array, or a stream that begins with them.
pub(super) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    list(&request, &context, ',')?.get(&request, &context).await
}

/// Answers a proxy that asks which events the listeners of a stream have missed.
pub(super) async fn recover(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    list(&request, &context, RECOVERY_SEPARATOR)?.recover(&request, &context).await
}

/// The topics that the path names, with `separator` between their names.
fn list(request: &HttpRequest, context: &WorkerContext, separator: char) -> Result<TopicList, ApiError> {
    let names: Vec<&str> = name_behind("/topics/", request).split(separator).collect();
    TopicList::parse(Naming::Topics, &names, |name| known_topic(context, name))
}

/// The topic of this name; 400 if no topic that every client may read has such a name, 404 or 403 if the service does not have the
/// topic, as far as the name tells. The name of a page does not tell its address; a page that is not counted has no hits.
fn known_topic(context: &WorkerContext, name: &str) -> Result<(SmolStr, Topic), ApiError> {
    let topic = public_topic(name).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    if let Some(id) = topic.counter_id() {
        check_known(context, &id)?;
    } else {
        let rules = rules(context)?;
        if let Some(host) = name.strip_prefix(Kind::Site.prefix()) {
            rules.check_site(host).map_err(|error| ApiError::Forbidden(error.to_string()))?;
        }
    }
    Ok((SmolStr::new(name), topic))
}
