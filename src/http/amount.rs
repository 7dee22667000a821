//! How much a POST adds: `?by=N`, JSON `{"by":N}`, a form's `by=N`; without any of them 1.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use actix_web::web::{Bytes, Payload};
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::domain::Amount;

/// The longest body, in bytes: room for any amount and white space.
const BODY_LIMIT: usize = 4096;

/// The amount, from the query or the body; 400 where it is not one or is given twice, 413 for a body that is too
/// long, 415 for one of an unknown kind.
pub(super) async fn amount(request: &HttpRequest, payload: Payload) -> Result<Amount, ApiError> {
    let of_query = match request.query_string() {
        "" => None,
        query => by_of_pairs(query.as_bytes(), "the query")?,
    };
    let of_body = if has_body(request) { by_of_body(request, payload).await? } else { None };
    match (of_query, of_body) {
        (None, None) => Ok(Amount::ONE),
        (Some(text), None) | (None, Some(text)) => {
            text.parse().map_err(|error| ApiError::BadRequest(format!("by {error}")))
        }
        (Some(_), Some(_)) => Err(ApiError::BadRequest("by is given in the query and in the body".into())),
    }
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

async fn by_of_body(request: &HttpRequest, payload: Payload) -> Result<Option<String>, ApiError> {
    let body: Bytes = match payload.to_bytes_limited(BODY_LIMIT).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(ApiError::BadRequest("the body could not be read to its end".into())),
        Err(_) => return Err(ApiError::BodyTooLarge(BODY_LIMIT)),
    };
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let content_type =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => by_of_json(&body),
        "application/x-www-form-urlencoded" => by_of_pairs(&body, "the body"),
        _ => Err(ApiError::UnsupportedMediaType),
    }
}

/// The `by` of a JSON object. Another member is a mistake that must not count as 1.
fn by_of_json(body: &[u8]) -> Result<Option<String>, ApiError> {
    let wrong =
        |what: String| ApiError::BadRequest(format!("the body must be JSON like {{\"by\":5}}: {what}"));
    let members: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?;
    if let Some(other) = members.keys().find(|name| *name != "by") {
        return Err(wrong(format!("unknown member {other:?}")));
    }
    match members.get("by") {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(wrong("by is no number".into())),
    }
}

/// The `by` of a query or a form; other names are for others.
fn by_of_pairs(encoded: &[u8], place: &str) -> Result<Option<String>, ApiError> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(encoded)
        .map_err(|_| ApiError::BadRequest(format!("{place} is not form-encoded text")))?;
    let mut values = pairs.into_iter().filter_map(|(name, value)| (name == "by").then_some(value));
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(ApiError::BadRequest(format!("by is given twice in {place}"))),
        (first, _) => Ok(first),
    }
}
