//! `/count` and `/nocount`: the hits of a page. Their answers are bare digits, as pages expect that were written for the hit-counter
//! of that name.

use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::access_checks::check_writer;
use super::caching::never_kept;
use super::context::WorkerContext;
use super::error::ApiError;
use super::hit_request::{is_hit, page, rules};
use super::limit_checks::{check_write, hit};
use crate::access::Space;
use crate::domain::{PageAddress, Topic};

/// Lets pages of other origins show the answer where they ask for isolation (`Cross-Origin-Embedder-Policy`).
static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Counts a hit and answers how many hits the page has. A request that is no hit gets the number and counts nothing.
pub(super) async fn count(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let rules = rules(&context)?;
    if !is_hit(&request, rules) {
        return read(request, context).await;
    }
    check_write(&request, &context)?;
    let address = page(&request, rules)?;
    check_writer(&request, &context, Space::Pages, address.as_str())?;
    Ok(digits(hit(&request, &context, &address).await?))
}

/// Answers how many hits the page has.
pub(super) async fn read(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let address = page(&request, rules(&context)?)?;
    Ok(digits(present(&context, &address).await?))
}

async fn present(context: &WorkerContext, address: &PageAddress) -> Result<i64, ApiError> {
    let reading = context.live.read(Topic::page(address)).await;
    Ok(reading.map_err(ApiError::unread)?.value())
}

fn digits(value: i64) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    never_kept(&mut response);
    response
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        .insert_header((RESOURCE_POLICY.clone(), HeaderValue::from_static("cross-origin")))
        .body(value.to_string())
}
