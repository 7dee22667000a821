//! What every request goes through: an id, CORS, `nosniff`, a count and a duration, a log line for failures.

use std::error::Error as _;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};

use super::caching::is_shared;
use super::cors::{self, CorsPolicy};
use super::error::ApiError;
use super::metrics::{MethodLabel, RouteMetrics};
use crate::log::Throttle;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// The longest id taken over from a request.
const LONGEST_ID: usize = 64;

/// While the store is away all requests fail: one line a second, from which an operator has the id of some.
static UNAVAILABLE: Throttle = Throttle::new(Duration::from_secs(1));

/// A store that has as many topics as it may refuses each new one, at any rate: one line a minute says so.
static FULL: Throttle = Throttle::new(Duration::from_secs(60));

/// Why an answer that is no [`ApiError`] is a 5xx: an extension of the response, for the log.
pub(super) struct FailureCause(pub(super) String);

/// The middleware of one route.
pub(super) async fn observe<B: MessageBody + 'static>(
    route: Arc<RouteMetrics>,
    cors: CorsPolicy,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let method = MethodLabel::of(request.method());
    let id = request_id(request.headers());
    let origin = cors.origin(request.headers());
    let mut response = next.call(request).await?;
    let status = response.status();
    route.observe(method, status.as_u16(), started.elapsed());
    // 501 is an answer: this cannot be had here. Why, is logged with restraint, as anybody can ask for it at any rate.
    if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
        log_failure(id.to_str().unwrap_or_default(), response.response());
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF.clone());
    // An answer that a cache may repeat belongs to no single request, and to no single origin.
    if is_shared(headers) {
        cors::allow(headers, None);
    } else {
        cors::allow(headers, origin);
        headers.insert(REQUEST_ID.clone(), id);
    }
    Ok(response)
}

/// What failed and why. Those that the throttle leaves out are there at level debug.
fn log_failure<B>(request_id: &str, response: &HttpResponse<B>) {
    let error = response.error().and_then(|error| error.as_error::<ApiError>());
    let cause = error.map(|error| error.source().map_or_else(|| error.to_string(), ToString::to_string));
    let noted = || response.extensions().get::<FailureCause>().map(|FailureCause(text)| text.clone());
    let cause = cause.or_else(noted).unwrap_or_default();
    let text = format!("request {request_id} failed with {}: {cause}", response.status());
    let status = response.status().as_u16();
    let failures = match status {
        503 => UNAVAILABLE.record(),
        507 => FULL.record(),
        _ => Some(1),
    };
    match failures {
        Some(1) => tracing::warn!(request_id, status, cause, "{text}"),
        Some(failures) => {
            let left_out = failures - 1;
            tracing::warn!(request_id, status, cause, left_out, "{text} ({left_out} more since such a line)");
        }
        None => tracing::debug!(request_id, status, cause, "{text}"),
    }
}

/// The id that the request brought, if it is harmless; else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    static PROCESS: LazyLock<String> =
        LazyLock::new(|| format!("{:08x}-", getrandom::u32().unwrap_or_default()));
    static COUNT: AtomicU64 = AtomicU64::new(1);
    if let Some(id) = headers.get(&REQUEST_ID)
        && (1..=LONGEST_ID).contains(&id.len())
        && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    {
        return id.clone();
    }
    let mut id = String::with_capacity(24);
    let _ = write!(id, "{}{:x}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed)); // cannot fail
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
}
