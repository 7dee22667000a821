//! `DELETE /feed/{route}`: deletes all events of a feed.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::path;
use crate::access::Verb;
use crate::domain::Topic;
use crate::http::caching::NO_STORE;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::idempotency::idempotency_key;
use crate::http::limit_checks::check_write;
use crate::http::query::Query;
use crate::http::route_access::check_route_writer;

/// Deletes a feed. Its listeners get a gap. If there is none, the answer is the same, so that a client may repeat the request.
pub(in crate::http) async fn delete(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check_write(&request, &context)?;
    let route = path::feed(&request)?;
    check_route_writer(&request, &context, Verb::Manage, &route)?;
    Query::of(request.query_string(), &[])?;
    let key = idempotency_key(&request)?;
    context.live.delete(Topic::feed(&route), key).await?;
    Ok(HttpResponse::NoContent().insert_header((CACHE_CONTROL, NO_STORE.clone())).finish())
}
