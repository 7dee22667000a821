//! `/` and `/assets/{name}`: the page that shows what the service is. The binary contains all files of the page, and the page
//! loads nothing from other hosts.

mod answer;
pub(super) mod assets;
mod compressed;
mod entry;
mod figures;
pub(super) mod number;
pub(super) mod page;
mod reading;
mod tag_form;
mod tool;

use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, Header,
    HeaderValue, REFERRER_POLICY, VARY,
};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::caching::{PRIVATE, client_has};
use super::context::WorkerContext;
use super::error::ApiError;
use assets::{Asset, accepts_gzip};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The page, with what its tool says about the page in `url`. Only the client that asked may keep it, because it names the address
/// that this client has used, and must ask again before each use, because it has numbers.
pub(in crate::http) async fn page(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let figures = reading::figures(&context).await;
    let origin = {
        let connection = request.connection_info();
        page::origin(connection.scheme(), connection.host())
    };
    let (status, tool) = answer::tool(&context, request.query_string(), &origin).await;
    let page = context.shared.home.fill(&origin, &figures, tool).map_err(|_| ApiError::Internal)?;
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, PRIVATE.clone()))
        .insert_header((VARY, HeaderValue::from_static("accept-encoding")));
    restrict(&mut response);
    // With a query the page differs from client to client, and to compress it would take longer than to make it.
    let compressed = request.query_string().is_empty() && accepts_gzip(&accepted(&request));
    match compressed.then(|| context.shared.home.compressed(&page)).flatten() {
        Some(body) => {
            response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
            Ok(response.body(body))
        }
        None => Ok(response.body(page)),
    }
}

/// A file that the page loads, compressed if the client accepts that; 304 if the client has it already.
pub(in crate::http) async fn asset(
    request: HttpRequest,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (asset, caching) =
        assets::find(&name).ok_or_else(|| ApiError::NotFound("there is no such asset".into()))?;
    Ok(present(&request, asset, caching, restrict))
}

/// Answers the representation of an asset that the client accepts, or 304. `add_headers` adds what both answers have beside the headers for caches.
pub(super) fn present(
    request: &HttpRequest,
    asset: &Asset,
    caching: &HeaderValue,
    add_headers: impl FnOnce(&mut HttpResponseBuilder),
) -> HttpResponse {
    let representation = asset.representation(&accepted(request));
    let is_known = client_has(request.headers(), &representation.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, caching.clone()))
        .insert_header((ETAG, representation.etag.clone()))
        .insert_header((VARY, HeaderValue::from_static("accept-encoding")));
    add_headers(&mut response);
    if is_known {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, asset.content_type));
    if representation.is_compressed {
        response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    }
    response.body(representation.body.clone())
}

/// The encodings that the client accepts. A header that cannot be read accepts no compression.
fn accepted(request: &HttpRequest) -> AcceptEncoding {
    AcceptEncoding::parse(request).unwrap_or(AcceptEncoding(Vec::new()))
}

/// Adds the headers that keep the page and its scripts from loading or sending anything elsewhere.
pub(super) fn restrict(response: &mut HttpResponseBuilder) {
    response.insert_header((CONTENT_SECURITY_POLICY, POLICY)).insert_header((REFERRER_POLICY, "same-origin"));
}
