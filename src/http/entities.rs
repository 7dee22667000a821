//! `/entity/{type…}/{key}`: read an entity, listen to it, change its fields, delete it. `/entity/{type…}/` lists the entities of a type.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::accept::negotiate;
use super::caching::{self, NO_STORE, begin, quoted_etag};
use super::context::WorkerContext;
use super::entity_list;
use super::entity_path::{EntityName, EntityPath, entity_name, entity_path};
use super::error::ApiError;
use super::idempotency::idempotency_key;
use super::json_body::json_body;
use super::limit_checks::{check_write, merge};
use super::media::{JSON, Media};
use super::query::Query;
use super::route_access::{admit_reader, check_route_writer};
use super::streams::{self, StreamGuard, StreamSubject};
use super::written_drop::WrittenDrop;
use crate::access::Verb;
use crate::domain::FieldChanges;
use crate::store::{Body, Merge};

/// Answers the fields of an entity, or a stream that begins with them; 304 if the client has them already, 404 if there is no such entity. A stream
/// of an entity that does not exist begins with `null`.
pub(super) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let name = match entity_path(&request)? {
        EntityPath::One(name) => name,
        EntityPath::All(route) => return entity_list::get(&request, &context, &route).await,
    };
    let grant = admit_reader(&request, &context, &name.route)?;
    Query::of(request.query_string(), &[])?;
    let topic = name.topic();
    if negotiate(request.headers(), &[Media::Json, Media::Stream])? == Media::Stream {
        let guard = StreamGuard::new(&context, StreamSubject::Route(name.route), grant);
        return streams::open_private(&request, &context, &topic, guard).await;
    }
    let reading = context.live.read(topic).await.map_err(ApiError::unread)?;
    let Body::Document(document) = &reading.body else {
        return Err(ApiError::NotFound("there is no such entity".into()));
    };
    let etag = quoted_etag(&reading.id.to_string());
    let (mut response, is_known) = begin(&request, &etag);
    caching::secret(&mut response);
    response.insert_header((ETAG, etag));
    if is_known {
        return Ok(response.finish());
    }
    response.insert_header((CONTENT_TYPE, JSON.clone()));
    let EntityName { route, key } = &name;
    // A route and a key have only characters that JSON does not escape.
    Ok(response.body(format!(
        "{{\"type\":\"{route}\",\"key\":\"{key}\",\"payload\":{},\"rev\":{}}}",
        document.to_json(),
        reading.id.revision
    )))
}

/// Changes fields of an entity, which is created if it does not exist.
pub(super) async fn post(
    request: HttpRequest,
    payload: Payload,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check_write(&request, &context)?;
    let name = entity_name(&request)?;
    check_route_writer(&request, &context, Verb::Write, &name.route)?;
    let keep = match Query::of(request.query_string(), &["keep"])?.get("keep") {
        Some(text) => Some(keep_of(text.parse().ok())?),
        None => None,
    };
    negotiate(request.headers(), &[Media::Json])?;
    let key = idempotency_key(&request)?;
    let body = json_body(&request, payload).await?;
    let fields = FieldChanges::parse(&body).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    let stamped = merge(&request, &context, name.topic(), Merge { fields, keep }, key).await?;
    Ok(WrittenDrop::of_entity(&name, &stamped).answer())
}

/// Deletes an entity. If there is none, the answer is the same, so that a client may repeat the request.
pub(super) async fn delete(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check_write(&request, &context)?;
    let name = entity_name(&request)?;
    check_route_writer(&request, &context, Verb::Manage, &name.route)?;
    Query::of(request.query_string(), &[])?;
    let key = idempotency_key(&request)?;
    context.live.delete(name.topic(), key).await?;
    Ok(HttpResponse::NoContent().insert_header((CACHE_CONTROL, NO_STORE.clone())).finish())
}

/// The longest life of an entity that may be asked for: ten years.
const LONGEST_LIFE: u64 = 3650 * 86_400;

/// How long an entity is to live; 400 if the number of seconds is missing or out of bounds.
pub(super) fn keep_of(seconds: Option<u64>) -> Result<Duration, ApiError> {
    match seconds {
        Some(seconds) if (1..=LONGEST_LIFE).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(ApiError::BadRequest(format!(
            "keep must be a whole number of seconds from 1 to {LONGEST_LIFE}"
        ))),
    }
}
