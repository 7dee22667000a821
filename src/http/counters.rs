//! `/counters/{id}/`: read a counter, listen to it, add to it, set it, delete it.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::accept::{form_of_number, negotiate};
use super::access_checks::{check_writer, require};
use super::amount::{amount, value};
use super::caching::{NO_STORE, NamedBy, begin, value_etag};
use super::context::WorkerContext;
use super::counter_path::{
    check_known, counter_id, counter_list, id_segment, is_list, parse_id, recovery_path,
};
use super::error::ApiError;
use super::idempotency::idempotency_key;
use super::limit_checks::{add, check_amount, check_write, set};
use super::media::Media;
use super::query::Query;
use super::streams::{self, Holder};
use super::topic_list::RECOVERY_SEPARATOR;
use crate::access::{Needed, Space, Verb};
use crate::domain::{CounterId, Topic};

/// Answers the present value, or a stream that begins with this value; 304 if the client has the value already.
pub(super) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    if is_list(id_segment(&request)) {
        return counter_list(&request, &context, ',')?.get(&request, &context).await;
    }
    let id = counter_id(&request, &context)?;
    let topics = [Topic::counter(&id)];
    let media = form_of_number(request.headers());
    if media == Media::Stream {
        let holder = Holder::of(&request, &context)?;
        return streams::open(&request, &context, holder, &topics, NamedBy::Url, &recovery_path(&id)).await;
    }
    let [topic] = &topics;
    let reading = context.live.read(topic.clone()).await.map_err(ApiError::unread)?;
    let etag = value_etag(media, reading.value());
    let (mut response, is_known) = begin(&request, &etag);
    context.shared.cache.value(&mut response, &topics, etag);
    if is_known { Ok(response.finish()) } else { Ok(represent(response, media, &id, reading.value())) }
}

/// Adds an amount and answers the new value.
pub(super) async fn post(
    request: HttpRequest,
    payload: Payload,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check_write(&request, &context)?;
    let id = parse_id(&request)?;
    check_writer(&request, &context, Space::Counters, id.as_str())?;
    check_known(&context, &id)?;
    let media = negotiate(request.headers(), &[Media::Plain, Media::Json])?;
    let key = idempotency_key(&request)?;
    let amount = amount(&request, payload).await?;
    check_amount(&request, &context, &id, ("by", amount))?;
    let value = add(&request, &context, Topic::counter(&id), amount, key).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, NO_STORE.clone()));
    Ok(represent(response, media, &id, value))
}

/// Sets the value and answers the new value.
pub(super) async fn put(
    request: HttpRequest,
    payload: Payload,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let id = managed_counter(&request, &context)?;
    let media = negotiate(request.headers(), &[Media::Plain, Media::Json])?;
    let key = idempotency_key(&request)?;
    let value = value(&request, payload).await?;
    let value = set(&request, &context, Topic::counter(&id), value, key).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, NO_STORE.clone()));
    Ok(represent(response, media, &id, value))
}

/// Deletes the counter. If the counter does not exist, the answer is the same, so that a client may repeat the request.
pub(super) async fn delete(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let id = managed_counter(&request, &context)?;
    Query::of(request.query_string(), &[])?;
    let key = idempotency_key(&request)?;
    context.live.delete(Topic::counter(&id), key).await?;
    Ok(HttpResponse::NoContent().insert_header((CACHE_CONTROL, NO_STORE.clone())).finish())
}

/// The counter that the request sets or deletes; 401 or 403 if the request has no key or ticket with the scope `manage:` for this
/// counter.
fn managed_counter(request: &HttpRequest, context: &WorkerContext) -> Result<CounterId, ApiError> {
    check_write(request, context)?;
    let id = parse_id(request)?;
    require(request, context, &Needed::One(Verb::Manage, Space::Counters, id.as_str()))?;
    check_known(context, &id)?;
    Ok(id)
}

/// Answers a GRIP proxy that asks for listeners which may have missed an event.
pub(super) async fn recover(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    if id_segment(&request).contains(RECOVERY_SEPARATOR) {
        return counter_list(&request, &context, RECOVERY_SEPARATOR)?.recover(&request, &context).await;
    }
    let id = counter_id(&request, &context)?;
    streams::recover(&request, &context, &[Topic::counter(&id)], &recovery_path(&id)).await
}

/// Finishes the answer with the value as its body.
fn represent(mut response: HttpResponseBuilder, media: Media, id: &CounterId, value: i64) -> HttpResponse {
    response.insert_header((CONTENT_TYPE, media.content_type()));
    if media == Media::Json {
        // An id has only characters that JSON does not escape.
        response.body(format!("{{\"id\":\"{id}\",\"value\":{value}}}"))
    } else {
        // This is as `format!`, without the formatter of the standard library.
        let mut text = value.to_string();
        text.push('\n');
        response.body(text)
    }
}
