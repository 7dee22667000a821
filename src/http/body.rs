//! Reads bodies of requests.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use actix_web::web::{Bytes, Payload};
use tokio::time::timeout;

use super::error::ApiError;

/// How long a body may take to arrive after its head.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// A byte order mark in UTF-8, which editors on Windows write at the beginning of a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The body of a request, which may have at most `most` bytes, without a byte order mark before it; 408 if the body does not arrive in time,
/// 413 if it is too long, 415 if it is compressed.
pub(super) async fn whole_body(
    request: &HttpRequest,
    payload: Payload,
    most: usize,
) -> Result<Bytes, ApiError> {
    let coded = |coding: &HeaderValue| !coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if request.headers().get_all(CONTENT_ENCODING).any(coded) {
        return Err(ApiError::UnsupportedEncoding);
    }
    match timeout(BODY_WITHIN, payload.to_bytes_limited(most)).await {
        Ok(Ok(Ok(body))) if body.starts_with(BYTE_ORDER_MARK) => Ok(body.slice(BYTE_ORDER_MARK.len()..)),
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(_))) => Err(ApiError::BadRequest("the body could not be read to its end".into())),
        Ok(Err(_)) => Err(ApiError::BodyTooLarge(most)),
        Err(_) => Err(ApiError::BodyTooSlow(BODY_WITHIN.as_secs())),
    }
}

/// The media type of the body with its parameters; empty if the request names none.
pub(super) fn content_type(request: &HttpRequest) -> &str {
    request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// The media type of the body without parameters, in small letters; empty if the request names none.
pub(super) fn media_type(request: &HttpRequest) -> String {
    content_type(request).split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// Refuses JSON that is labelled as text or as a form, where the body must be a statement or commands: neither begins with a brace.
pub(super) fn refuse_json(body: &[u8]) -> Result<(), ApiError> {
    match body.trim_ascii_start().first() {
        Some(b'{') => Err(ApiError::BadRequest(
            "the body looks like JSON; send it with the header Content-Type: application/json".into(),
        )),
        _ => Ok(()),
    }
}
