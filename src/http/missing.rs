//! The answer to a request that is for no resource: for the server as a whole (`OPTIONS *`), for another host as if this were a
//! proxy, or for a path that does not exist (RFC 9112, section 3.2).

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::accept::accepts_pages;
use super::caching::NO_STORE;
use super::error::ApiError;
use super::html::restrict;
use super::media::HTML;
use super::resource::ALL;

/// The page that browsers get for a path that does not exist.
#[derive(Template)]
#[template(path = "missing.html")]
struct MissingPage;

/// Answers with a page if a browser has asked for a path that does not exist, because a browser would show a problem as bare JSON.
pub(super) async fn page_or_problem(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let answer = without_resource(&request);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads && matches!(answer, Err(ApiError::NotFound(_))) && accepts_pages(request.headers()) {
        return page();
    }
    answer
}

/// Answers with a problem, also to browsers: a listener for operators has none of the files that a page loads.
pub(super) async fn problem(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    without_resource(&request)
}

fn page() -> Result<HttpResponse, ApiError> {
    let text = MissingPage.render().map_err(|_| ApiError::Internal)?;
    let mut response = HttpResponse::NotFound();
    response
        .insert_header((CONTENT_TYPE, HTML.clone()))
        .insert_header((CACHE_CONTROL, NO_STORE.clone()))
        .insert_header((VARY, HeaderValue::from_static("accept")));
    restrict(&mut response);
    Ok(response.body(text))
}

fn without_resource(request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    match (request.method(), request.uri().path()) {
        (&Method::OPTIONS, "*") => Ok(HttpResponse::NoContent().insert_header((ALLOW, ALL)).finish()),
        (&Method::CONNECT, _) => Err(ApiError::NotImplemented("this server is no proxy: it has no CONNECT")),
        (_, path) if !path.starts_with('/') => {
            Err(ApiError::BadRequest("what is asked for must be a path or a URL; * is for OPTIONS".into()))
        }
        _ => Err(ApiError::NotFound("there is nothing here; see /openapi.json for what there is".into())),
    }
}
