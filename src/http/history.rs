//! `/counters/{id}/history` and `/counters/{id}/chart.svg`: the past of a counter, for programs and as a picture.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::context::WorkerContext;
use super::counter_path::{check_known, id_segment, is_list};
use super::error::ApiError;
use super::past::{PICTURE, PastDocument, TABLE, picture, table};
use super::pictures::{error_picture, restrict};
use super::query::Query;
use crate::domain::{CounterId, Topic};
use crate::history::Subject;

/// Answers the values of the counter in the last hours or days, as JSON or CSV; 304 if the client has the answer already.
pub(super) async fn series(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(request.query_string(), &TABLE)?;
    let id = id(&request, &context)?;
    let (subject, topic) = (Subject::Counter(id.as_str()), Topic::counter(&id));
    let document = table(request.headers(), &context, &query, subject, &topic).await?;
    Ok(answer(&request, &context, &topic, document))
}

/// Answers the values of the counter in the last hours or days as a picture; 304 if the client has the picture already. An error is
/// a picture, too.
pub(super) async fn chart(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        let query = Query::of(request.query_string(), &PICTURE)?;
        let id = id(&request, &context)?;
        let (subject, topic) = (Subject::Counter(id.as_str()), Topic::counter(&id));
        let document = picture(&context, &query, subject, &topic).await?;
        let mut response = answer(&request, &context, &topic, document);
        restrict(response.headers_mut());
        Ok(response)
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// The counter whose past the path names.
fn id(request: &HttpRequest, context: &WorkerContext) -> Result<CounterId, ApiError> {
    let text = id_segment(request);
    if is_list(text) {
        return Err(ApiError::BadRequest("each counter has a history of its own: ask for one".into()));
    }
    let id: CounterId = text.parse().map_err(|error| ApiError::BadRequest(format!("{error}")))?;
    check_known(context, &id)?;
    Ok(id)
}

fn answer(
    request: &HttpRequest,
    context: &WorkerContext,
    topic: &Topic,
    document: PastDocument,
) -> HttpResponse {
    let PastDocument { media_type, body, changes_in } = document;
    context.shared.cache.representation(request, topic, media_type, body, Some(changes_in))
}
