//! `/`: the page that shows what this is. Everything it needs is in the binary; it loads nothing from other hosts.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use actix_web::web::Path;

use super::caching::FIVE_MINUTES;
use super::error::ApiError;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(super) async fn page() -> HttpResponse {
    serve("text/html; charset=utf-8", include_str!("home/index.html"))
}

/// The page's parts, by name.
pub(super) async fn asset(name: Path<String>) -> Result<HttpResponse, ApiError> {
    match name.as_str() {
        "home.css" => Ok(serve("text/css; charset=utf-8", include_str!("home/home.css"))),
        "home.js" => Ok(serve("text/javascript; charset=utf-8", include_str!("home/home.js"))),
        "favicon.svg" => Ok(serve("image/svg+xml", include_str!("home/favicon.svg"))),
        _ => Err(ApiError::NotFound("there is no such asset".into())),
    }
}

fn serve(content_type: &'static str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, FIVE_MINUTES.clone()))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "same-origin"))
        .body(body)
}
