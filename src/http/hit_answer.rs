//! Answers about the hits of a page or a site that caches may keep, if the query names the page.

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::caching::never_kept;
use super::context::WorkerContext;
use super::hit_request::is_named;
use crate::domain::Topic;

/// Answers a representation of the topic, as [`CacheTerms::representation`](super::caching::CacheTerms::representation) does. If
/// the page that has sent the request decides the answer, no cache may keep it.
pub(super) fn represent(
    request: &HttpRequest,
    context: &WorkerContext,
    topic: &Topic,
    media_type: &HeaderValue,
    body: String,
    changes_in: Option<u64>,
) -> HttpResponse {
    if is_named(request) {
        return context.shared.cache.representation(request, topic, media_type, body, changes_in);
    }
    let mut response = HttpResponse::Ok();
    never_kept(&mut response);
    response.insert_header((CONTENT_TYPE, media_type.clone())).body(body)
}
