//! `/` and `/assets/{name}`: the page that shows what the service is. The binary contains all files of the page, and the page
//! loads nothing from other hosts.

pub(super) mod page;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::caching::{FIVE_MINUTES, PRIVATE_FIVE_MINUTES};
use super::context::WorkerContext;
use super::error::ApiError;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page. It is one client's: it names the address that this client has used.
pub(in crate::http) async fn page(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let connection = request.connection_info();
    let page = context.shared.home.at(connection.scheme(), connection.host());
    serve("text/html; charset=utf-8", &PRIVATE_FIVE_MINUTES, page)
}

/// The page's parts, by name; the same for all.
pub(in crate::http) async fn asset(name: Path<String>) -> Result<HttpResponse, ApiError> {
    let (content_type, body) = match name.as_str() {
        "home.css" => ("text/css; charset=utf-8", include_str!("home.css")),
        "home.js" => ("text/javascript; charset=utf-8", include_str!("home.js")),
        "favicon.svg" => ("image/svg+xml", include_str!("favicon.svg")),
        _ => return Err(ApiError::NotFound("there is no such asset".into())),
    };
    Ok(serve(content_type, &FIVE_MINUTES, body.to_owned()))
}

fn serve(content_type: &'static str, caching: &HeaderValue, body: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, caching.clone()))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "same-origin"))
        .body(body)
}
