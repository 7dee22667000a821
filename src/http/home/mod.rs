//! `/` and `/assets/{name}`: the page that shows what the service is. The binary contains all files of the page, and the page
//! loads nothing from other hosts.

pub(super) mod additions;
mod answer;
mod compressed;
mod entry;
mod figures;
pub(super) mod page;
mod reading;
mod tag_form;
mod tool;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::caching::PRIVATE;
use super::context::WorkerContext;
use super::error::ApiError;
use super::html::assets::{self, accepts_gzip};
use super::html::{own_origin, restrict};
use super::media::HTML;

/// The page, with what its tool says about the page in `url`. Only the client that asked may keep it, because it names the address
/// that this client has used, and must ask again before each use, because it has numbers.
pub(in crate::http) async fn page(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let figures = reading::figures(&context).await;
    let origin = own_origin(&request);
    let (status, tool) = answer::tool(&context, request.query_string(), &origin).await;
    let page = context.shared.home.fill(&origin, &figures, tool).map_err(|_| ApiError::Internal)?;
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, HTML.clone()))
        .insert_header((CACHE_CONTROL, PRIVATE.clone()))
        .insert_header((VARY, HeaderValue::from_static("accept-encoding")));
    restrict(&mut response);
    // With a query the page differs from client to client, and to compress it would take longer than to make it.
    let compressed = request.query_string().is_empty() && accepts_gzip(&request);
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
    Ok(asset.answer(&request, caching, restrict))
}

/// The icon of the service, for browsers that show something which names no icon, such as a number or a picture.
pub(in crate::http) async fn icon(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    asset(request, Path::from("favicon.svg".to_owned())).await
}
