//! The forms of an answer: JSON, a script for JSONP, or a picture of one pixel.

use std::error::Error;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::{Map, Value};

use crate::access::redacted;
use crate::domain::CountApiName;
use crate::http::caching::never_kept;
use crate::http::compat::jsonp::{Callback, SCRIPT};
use crate::http::error::ApiError;
use crate::http::media::JSON;
use crate::http::pictures::share;
use crate::log::Throttle;

static GIF: HeaderValue = HeaderValue::from_static("image/gif");
/// The name of the counter that was meant, with `:HOST:` and `:PATHNAME:` replaced. CountAPI's client reads it.
static X_PATH: HeaderName = HeaderName::from_static("x-path");
/// The headers that scripts of other origins may read.
static EXPOSED: HeaderValue =
    HeaderValue::from_static("x-path, x-request-id, retry-after, ratelimit, ratelimit-policy");

/// Requests for scripts that have failed. One line a minute is logged.
static FAILED_SCRIPTS: Throttle = Throttle::new(Duration::from_secs(60));

/// A transparent picture of one pixel.
const PIXEL: &[u8; 43] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// What an answer says.
pub(super) struct Told {
    status: StatusCode,
    name: Option<CountApiName>,
    members: Map<String, Value>,
}

impl Told {
    /// An answer with these members.
    pub(super) fn ok<const N: usize>(name: Option<CountApiName>, members: [(&str, Value); N]) -> Self {
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Told { status: StatusCode::OK, name, members }
    }

    /// The same answer with another status.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Told { status, ..self }
    }

    /// The same answer as a refusal, with the reason of the error beside the members.
    pub(super) fn refused(mut self, error: &ApiError) -> Self {
        self.members.insert("error".to_owned(), redacted(&error.to_string()).into());
        self.with_status(StatusCode::FORBIDDEN)
    }

    /// The value alone, for a form without room for more; the refusal as an error, and 404 if the counter does not exist.
    pub(super) fn value(&self) -> Result<i64, ApiError> {
        if let Some(problem) = self.members.get("error").and_then(Value::as_str) {
            return Err(ApiError::Forbidden(problem.to_owned()));
        }
        let value = self.members.get("value").and_then(Value::as_i64);
        value.ok_or_else(|| ApiError::NotFound("the key does not exist: a hit creates it".into()))
    }
}

/// In which form the request wants its answer.
enum Form {
    Json,
    Script(Callback),
    Pixel,
}

impl Form {
    /// Reads `callback` and `img`; 400 if the callback is no name of a function.
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        match (parameter(request, "callback"), parameter(request, "img")) {
            (Some(callback), _) => Callback::parse("callback", &callback).map(Form::Script),
            (None, Some(_)) => Ok(Form::Pixel),
            (None, None) => Ok(Form::Json),
        }
    }

    fn answer(&self, told: Result<Told, ApiError>) -> HttpResponse {
        let (mut response, mut members) = match told {
            Ok(told) => {
                let mut response = HttpResponse::build(told.status);
                never_kept(&mut response);
                if let Some(path) = told.name.and_then(|name| HeaderValue::try_from(name.to_string()).ok()) {
                    response.insert_header((X_PATH.clone(), path));
                }
                (response.finish(), told.members)
            }
            Err(error) => {
                if let Form::Script(_) = self {
                    log_failure(&error);
                }
                failure(error)
            }
        };
        let (media_type, body) = match self {
            Form::Json => (&JSON, Value::Object(members).to_string().into_bytes()),
            Form::Script(callback) => {
                members.insert("code".to_owned(), response.status().as_u16().into());
                // A browser runs no script whose status is an error.
                *response.status_mut() = StatusCode::OK;
                (&SCRIPT, callback.call(&Value::Object(members).to_string()).into_bytes())
            }
            Form::Pixel => (&GIF, PIXEL.to_vec()),
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, media_type.clone());
        expose(headers);
        share(headers);
        response.map_body(|_, _| BoxBody::new(body))
    }
}

/// The answer to an error. Programs that were written for CountAPI know 400, 403 and 404: a missing key and a number out of range
/// are 403 for them.
fn failure(error: ApiError) -> (HttpResponse, Map<String, Value>) {
    let text = redacted(&error.to_string()).into_owned();
    let mut response = HttpResponse::from_error(error);
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::CONFLICT) {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    (response, Map::from_iter([("error".to_owned(), text.into())]))
}

/// Logs an error that the middleware does not see, because a script has the status 200.
fn log_failure(error: &ApiError) {
    let status = error.status_code();
    if status.is_server_error()
        && let Some(failures) = FAILED_SCRIPTS.record()
    {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        let cause = redacted(&cause);
        tracing::warn!(
            failures,
            "a request for a script (callback) failed with {status}: {cause} ({failures} since the last message)"
        );
    }
}

fn expose(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED.clone());
}

/// Does the work of a request and answers in the form that the request asks for. A request that asks for a form that there is not
/// does nothing.
pub(super) async fn answer(
    request: &HttpRequest,
    work: impl Future<Output = Result<Told, ApiError>>,
) -> HttpResponse {
    match Form::of(request) {
        Ok(form) => form.answer(work.await),
        Err(error) => Form::Json.answer(Err(error)),
    }
}

/// The first value of a parameter in the query. CountAPI ignored parameters that it did not know.
pub(super) fn parameter(request: &HttpRequest, name: &str) -> Option<String> {
    let mut query = form_urlencoded::parse(request.query_string().as_bytes());
    query.find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
}
