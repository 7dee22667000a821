//! Reads bodies that are JSON.

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Payload};

use super::body::{media_type, whole_body};
use super::error::ApiError;

/// The longest body, in bytes. Every payload fits, also with white space and escapes in it.
const LONGEST: usize = 64 * 1024;

/// The body of a request, which is meant to be JSON. 408, 413 and 415 as for all bodies.
pub(super) async fn json_body(request: &HttpRequest, payload: Payload) -> Result<Bytes, ApiError> {
    let media_type = media_type(request);
    let fits = match media_type.as_str() {
        // curl labels any body as a form, and `navigator.sendBeacon` sends a string as `text/plain`.
        "" | "application/x-www-form-urlencoded" | "text/plain" | "application/json" => true,
        other => other.starts_with("application/") && other.ends_with("+json"),
    };
    if !fits {
        return Err(ApiError::NoJson);
    }
    whole_body(request, payload, LONGEST).await
}
