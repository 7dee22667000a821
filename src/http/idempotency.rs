//! The header `Idempotency-Key`.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

use super::error::ApiError;
use crate::domain::IdempotencyKey;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The value of `Idempotency-Key`; 400 if it is no key or is given twice.
pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, ApiError> {
    let mut headers = request.headers().get_all(&IDEMPOTENCY_KEY);
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(ApiError::BadRequest("Idempotency-Key is given twice".into()));
    }
    // The parser refuses U+FFFD, as it would refuse any character beyond ASCII.
    let text = header.to_str().unwrap_or("\u{fffd}");
    text.parse().map(Some).map_err(|error| ApiError::BadRequest(format!("{error}")))
}
