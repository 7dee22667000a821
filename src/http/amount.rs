//! Reads the amount that a POST adds: `?by=N`, JSON `{"by":N}`, or `by=N` in a form. Without any of them the amount is 1.

use std::fmt;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING,
};
use actix_web::web::{Bytes, Payload};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use tokio::time::timeout;

use super::error::ApiError;
use super::multipart;
use crate::domain::Amount;
use crate::nearest::nearest;

/// The longest body, in bytes. Any amount fits, with white space.
const BODY_LIMIT: usize = 4096;
/// How many characters of an unknown parameter's name an error repeats.
const LONGEST_SHOWN: usize = 40;
/// How long a body may take to arrive after its head.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// The amount from the query or the body. 400 if it is no amount or is given twice, 408 if the body does not arrive in time,
/// 413 if the body is too long, 415 if it is compressed or has an unknown media type.
pub(super) async fn amount(request: &HttpRequest, payload: Payload) -> Result<Amount, ApiError> {
    let in_query = match request.query_string() {
        "" => None,
        query => by_of_query(query.as_bytes())?,
    };
    let in_body = if has_body(request) { by_of_body(request, payload).await? } else { None };
    match (in_query, in_body) {
        (None, None) => Ok(Amount::ONE),
        (Some(text), None) | (None, Some(text)) => {
            text.parse().map_err(|error| ApiError::BadRequest(format!("by {error}")))
        }
        (Some(_), Some(_)) => Err(ApiError::BadRequest("by is given in the query and in the body".into())),
    }
}

/// The `by` of a query. Another parameter is an error, because a mistyped one must not count as 1. Parameters that begin with
/// `_` are ignored: gateways use them for keys, and clients append them to get past caches.
fn by_of_query(query: &[u8]) -> Result<Option<String>, ApiError> {
    let pairs = pairs(query);
    let Some((name, _)) = pairs.iter().find(|(name, _)| name != "by" && !name.starts_with('_')) else {
        return single_by(pairs, "the query");
    };
    let hint = match nearest(name, ["by"]) {
        Some(known) => format!("did you mean {known}?"),
        None => "the amount is by=N".to_owned(),
    };
    let shown: String = name.chars().take(LONGEST_SHOWN).collect();
    Err(ApiError::BadRequest(format!("the query has the unknown parameter {shown:?}; {hint}")))
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

async fn by_of_body(request: &HttpRequest, payload: Payload) -> Result<Option<String>, ApiError> {
    let coded = |coding: &HeaderValue| !coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if request.headers().get_all(CONTENT_ENCODING).any(coded) {
        return Err(ApiError::UnsupportedEncoding);
    }
    let body: Bytes = match timeout(BODY_WITHIN, payload.to_bytes_limited(BODY_LIMIT)).await {
        Ok(Ok(Ok(body))) => body,
        Ok(Ok(Err(_))) => return Err(ApiError::BadRequest("the body could not be read to its end".into())),
        Ok(Err(_)) => return Err(ApiError::BodyTooLarge(BODY_LIMIT)),
        Err(_) => return Err(ApiError::BodyTooSlow(BODY_WITHIN.as_secs())),
    };
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let content_type =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match essence.as_str() {
        // `navigator.sendBeacon` sends a string as `text/plain`, and a Blob without a type without `Content-Type`.
        "application/json" | "text/plain" | "" => by_of_json(&body),
        "application/x-www-form-urlencoded" => by_of_form(pairs(&body)),
        "multipart/form-data" => match multipart::fields(content_type, &body) {
            Some(fields) => by_of_form(fields),
            None => Err(ApiError::BadRequest("the body is no multipart form with text fields".into())),
        },
        _ => Err(ApiError::UnsupportedMediaType),
    }
}

/// The `by` of a JSON object. Another member is an error, because a mistyped one must not count as 1.
fn by_of_json(body: &[u8]) -> Result<Option<String>, ApiError> {
    let ByObject(by) = serde_json::from_slice(body)
        .map_err(|error| ApiError::BadRequest(format!("the body must be JSON like {{\"by\":5}}: {error}")))?;
    Ok(by)
}

/// `{}` or `{"by":N}`. A derived `Deserialize` would also accept an array, and `null` as no amount.
struct ByObject(Option<String>);

impl<'de> Deserialize<'de> for ByObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByObject(None))
    }
}

impl<'de> Visitor<'de> for ByObject {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if name != "by" {
                return Err(A::Error::custom(format_args!("unknown member {name:?}")));
            }
            let Value::Number(number) = members.next_value()? else {
                return Err(A::Error::custom("by is no number"));
            };
            if self.0.replace(number.to_string()).is_some() {
                return Err(A::Error::custom("by is given twice"));
            }
        }
        Ok(self)
    }
}

/// The `by` of a form. Another field is an error. Most likely the body is JSON, because curl labels any body as a form.
fn by_of_form(pairs: Vec<(String, String)>) -> Result<Option<String>, ApiError> {
    match pairs.iter().find(|(name, _)| name != "by") {
        Some((name, _)) => Err(ApiError::BadRequest(format!(
            "the body is a form with the unknown field {name:?}; JSON needs Content-Type: application/json"
        ))),
        None => single_by(pairs, "the body"),
    }
}

/// The names and values of a query or a form. Every text is form-encoded: bytes that are no UTF-8 become U+FFFD.
fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

/// The value of `by`; 400 if it is given twice in this place.
fn single_by(pairs: Vec<(String, String)>, place: &str) -> Result<Option<String>, ApiError> {
    let mut values = pairs.into_iter().filter_map(|(name, value)| (name == "by").then_some(value));
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(ApiError::BadRequest(format!("by is given twice in {place}"))),
        (first, _) => Ok(first),
    }
}
