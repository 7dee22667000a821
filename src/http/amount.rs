//! Reads the number of a request that writes: what a POST adds (`by`, 1 if it is not given) or what a PUT sets (`value`), as
//! `?by=N`, JSON `{"by":N}`, or `by=N` in a form.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::web::Payload;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::body::{content_type, media_type, whole_body};
use super::error::ApiError;
use super::multipart;
use super::query::Query;
use crate::domain::{Amount, parse_value};

/// The longest body, in bytes. Every amount fits, also with white space around it.
pub(super) const BODY_LIMIT: usize = 4096;

/// The amount that a POST adds; 1 if the request gives no amount.
pub(super) async fn amount(request: &HttpRequest, payload: Payload) -> Result<Amount, ApiError> {
    match number(request, payload, "by").await? {
        None => Ok(Amount::ONE),
        Some(text) => text.parse().map_err(|error| ApiError::BadRequest(format!("by {error}"))),
    }
}

/// The value that a PUT sets.
pub(super) async fn value(request: &HttpRequest, payload: Payload) -> Result<i64, ApiError> {
    match number(request, payload, "value").await? {
        None => Err(ApiError::BadRequest("value is missing; send JSON like {\"value\":5}".into())),
        Some(text) => parse_value(&text).map_err(|error| ApiError::BadRequest(format!("value {error}"))),
    }
}

/// The text of the number of this name, from the query or the body. 400 if the request gives the number twice, or anything else,
/// 408 if the body does not arrive in time, 413 if the body is too long, 415 if the body is compressed or has an unknown media
/// type.
async fn number(
    request: &HttpRequest,
    payload: Payload,
    name: &'static str,
) -> Result<Option<String>, ApiError> {
    // Another parameter is an error, because a mistyped name must not pass for a missing number.
    let in_query = match request.query_string() {
        "" => None,
        query => Query::of(query, &[name])?.get(name).map(str::to_owned),
    };
    let in_body = if has_body(request) { number_of_body(request, payload, name).await? } else { None };
    match (in_query, in_body) {
        (Some(_), Some(_)) => {
            Err(ApiError::BadRequest(format!("{name} is given in the query and in the body")))
        }
        (in_query, in_body) => Ok(in_query.or(in_body)),
    }
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

async fn number_of_body(
    request: &HttpRequest,
    payload: Payload,
    name: &'static str,
) -> Result<Option<String>, ApiError> {
    let body = whole_body(request, payload, BODY_LIMIT).await?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let content_type = content_type(request);
    match media_type(request).as_str() {
        // `navigator.sendBeacon` sends a string as `text/plain`, and a Blob without a type without `Content-Type`.
        "application/json" | "text/plain" | "" => number_of_json(&body, name),
        "application/x-www-form-urlencoded" => {
            number_of_form(form_urlencoded::parse(&body).into_owned().collect(), name)
        }
        "multipart/form-data" => match multipart::fields(content_type, &body) {
            Some(fields) => number_of_form(fields, name),
            None => Err(ApiError::BadRequest("the body is no multipart form with text fields".into())),
        },
        _ => Err(ApiError::UnsupportedMediaType),
    }
}

/// The number of a JSON object. Another member is an error, because a mistyped name must not pass for a missing number.
fn number_of_json(body: &[u8], name: &'static str) -> Result<Option<String>, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = deserializer.deserialize_map(OneNumber { name, number: None });
    read.and_then(|read| deserializer.end().map(|()| read.number)).map_err(|error| {
        ApiError::BadRequest(format!("the body must be JSON like {{\"{name}\":5}}: {error}"))
    })
}

/// `{}` or `{"by":N}`. A derived `Deserialize` would also accept an array, and `null` as no number.
struct OneNumber {
    name: &'static str,
    number: Option<String>,
}

impl<'de> Visitor<'de> for OneNumber {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        let name = self.name;
        while let Some(member) = members.next_key::<String>()? {
            if member != name {
                return Err(A::Error::custom(format_args!("unknown member {member:?}")));
            }
            let Value::Number(number) = members.next_value()? else {
                return Err(A::Error::custom(format_args!("{name} is no number")));
            };
            if self.number.replace(number.to_string()).is_some() {
                return Err(A::Error::custom(format_args!("{name} is given twice")));
            }
        }
        Ok(self)
    }
}

/// The number of a form. Another field is an error. Most likely the body is JSON, because curl labels any body as a form.
fn number_of_form(fields: Vec<(String, String)>, name: &str) -> Result<Option<String>, ApiError> {
    if let Some((other, _)) = fields.iter().find(|(field, _)| field != name) {
        return Err(ApiError::BadRequest(format!(
            "the body is a form with the unknown field {other:?}; JSON needs Content-Type: application/json"
        )));
    }
    let mut values = fields.into_iter().map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(ApiError::BadRequest(format!("{name} is given twice in the body"))),
        (first, _) => Ok(first),
    }
}
