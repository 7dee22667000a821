//! `/counters/{id},{id}/`: read several counters together, or listen to all of them in one stream.

use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::accept::negotiate;
use super::caching::{client_has, values_etag};
use super::context::WorkerContext;
use super::counter_path::{READ_AS, counter_set, id_segment, recovery_path};
use super::error::ApiError;
use super::media::Media;
use super::streams;
use crate::domain::{CounterSet, Topic};
use crate::store::Reading;

/// With this header a cache asks for the canonical path of the list instead of the values, so that the cache keeps one answer for
/// all spellings of the list.
static CANONICAL_PATH: HeaderName = HeaderName::from_static("x-canonical-path");

/// The separator of the ids in a recovery path. A comma would end the link in the header that tells Pushpin the path.
const RECOVERY_SEPARATOR: char = '+';

/// Answers the values as lines of text or as a JSON array, or a stream that begins with them, always in ascending order of the
/// ids; 304 if the client has the values already.
pub(super) async fn get(request: &HttpRequest, context: &WorkerContext) -> Result<HttpResponse, ApiError> {
    let set = counter_set(request, context, ',')?;
    if request.headers().contains_key(&CANONICAL_PATH) && set.to_string() != id_segment(request) {
        let mut response = HttpResponse::PermanentRedirect();
        context.shared.cache.redirect(&mut response);
        return Ok(response.insert_header((LOCATION, format!("/counters/{set}/"))).finish());
    }
    let topics = topics(&set);
    let media = negotiate(request.headers(), &READ_AS)?;
    if media == Media::Stream {
        return streams::open(request, context, &topics, &own_recovery_path(&set)).await;
    }
    let readings = context.live.read_all(&topics).await.map_err(ApiError::unread)?;
    let values = || readings.iter().map(Reading::value);
    let etag = values_etag(media, values());
    let known = client_has(request.headers(), &etag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    context.shared.cache.value(&mut response, &topics, etag);
    if known { Ok(response.finish()) } else { Ok(represent(response, media, &set, values())) }
}

/// Whether this part of a recovery path names several counters.
pub(super) fn is_recovery(segment: &str) -> bool {
    segment.contains(RECOVERY_SEPARATOR)
}

/// Answers a proxy that asks which events the listeners of a list's stream have missed.
pub(super) async fn recover(
    request: &HttpRequest,
    context: &WorkerContext,
) -> Result<HttpResponse, ApiError> {
    let set = counter_set(request, context, RECOVERY_SEPARATOR)?;
    streams::recover(request, context, &topics(&set), &own_recovery_path(&set)).await
}

fn topics(set: &CounterSet) -> Vec<Topic> {
    set.ids().iter().map(Topic::counter).collect()
}

fn own_recovery_path(set: &CounterSet) -> String {
    recovery_path(&set.join(&RECOVERY_SEPARATOR.to_string()))
}

fn represent(
    mut response: HttpResponseBuilder,
    media: Media,
    set: &CounterSet,
    values: impl Iterator<Item = i64>,
) -> HttpResponse {
    let counters = set.ids().iter().zip(values);
    if media == Media::Json {
        // The characters of an id need no escape in JSON.
        let objects: Vec<_> =
            counters.map(|(id, value)| format!("{{\"id\":\"{id}\",\"value\":{value}}}")).collect();
        response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        response.body(format!("[{}]", objects.join(",")))
    } else {
        response.insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")));
        response.body(counters.map(|(id, value)| format!("{id} {value}\n")).collect::<String>())
    }
}
