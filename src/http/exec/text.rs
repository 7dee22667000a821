//! The commands of a request, as text.

use actix_web::HttpRequest;
use actix_web::web::Payload;
use serde::Deserialize;

use crate::exec::MAX_LEN;
use crate::http::body::{media_type, refuse_json, whole_body};
use crate::http::error::ApiError;

/// The longest body: in JSON a character of the text may take six bytes, but few do.
const BODY_LIMIT: usize = 2 * MAX_LEN;

/// Commands in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryBody {
    query: String,
}

/// The text of the body: the body itself, or the member `query` of JSON.
pub(super) async fn commands_of(request: &HttpRequest, payload: Payload) -> Result<String, ApiError> {
    let media_type = media_type(request);
    let is_json = match media_type.as_str() {
        "application/json" => true,
        // curl labels any body as a form.
        "" | "text/plain" | "application/x-www-form-urlencoded" => false,
        _ => return Err(ApiError::NoCommands),
    };
    let body = whole_body(request, payload, BODY_LIMIT).await?;
    if is_json {
        let body: QueryBody = serde_json::from_slice(&body).map_err(|error| {
            ApiError::BadRequest(format!("the body must be JSON like {{\"query\":\"read a @b\"}}: {error}"))
        })?;
        return Ok(body.query);
    }
    refuse_json(&body)?;
    String::from_utf8(body.to_vec())
        .map_err(|_| ApiError::BadRequest("the commands must be text in UTF-8".into()))
}
