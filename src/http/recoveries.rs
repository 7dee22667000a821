//! `/recover/{pass}/{topic}`: answers a GRIP proxy that asks which events the listeners of a private stream have missed.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::context::WorkerContext;
use super::error::ApiError;
use super::feeds::Listened;
use super::streams::{self, StreamSubject};
use crate::domain::{Kind, Topic};

/// Answers only a proxy whose signature is good, and only for the topics of entities and feeds.
pub(super) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let path = request.match_info().as_str().strip_prefix("/recover/").unwrap_or_default();
    let named = path.split_once('/').and_then(|(pass, topic)| Some((pass, topic.parse::<Topic>().ok()?)));
    let missing = || ApiError::NotFound("only a proxy that holds streams is answered here".into());
    let (pass, topic) = named.ok_or_else(missing)?;
    match topic.kind() {
        Some(Kind::Entity) => {
            let (route, _) = topic.entity_name().ok_or_else(missing)?;
            let subject = StreamSubject::Route(route);
            streams::recover_private(&request, &context, pass, &topic, subject).await
        }
        Some(Kind::Feed) => {
            let listened = Listened::of_topic(&topic).ok_or_else(missing)?;
            streams::recover_feed(&request, &context, pass, &topic, listened.subject()).await
        }
        _ => Err(missing()),
    }
}
