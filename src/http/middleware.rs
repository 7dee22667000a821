//! The steps that every request and answer goes through: a request id, the headers of CORS, `nosniff`, the metrics, and a line in
//! the log if the request has failed.

use std::error::Error as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use futures_util::future::LocalBoxFuture;
use smallvec::SmallVec;

use super::caching::is_shared;
use super::cors::{self, CorsPolicy};
use super::error::ApiError;
use super::metrics::{MethodLabel, RouteMetrics};
use crate::access::redacted;
use crate::log::Throttle;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// The longest request id that is taken over from a client.
const LONGEST_ID: usize = 64;

/// While the store is away, all requests fail. One line a second is logged, so that an operator sees the ids of some of these
/// requests.
static UNAVAILABLE: Throttle = Throttle::new(Duration::from_secs(1));

/// A full store refuses each new topic, however often clients ask. One line a minute is logged.
static FULL: Throttle = Throttle::new(Duration::from_secs(60));

/// Why an answer that is no [`ApiError`] is a 5xx. Handlers add it to the answer as an extension, for the log.
pub(super) struct FailureCause(pub(super) String);

/// Answers a request by `answer`, and does what all requests and answers go through.
pub(super) async fn observe(
    route: &RouteMetrics,
    cors: CorsPolicy,
    request: ServiceRequest,
    answer: impl FnOnce(ServiceRequest) -> LocalBoxFuture<'static, ServiceResponse>,
) -> ServiceResponse {
    let started = Instant::now();
    let method = MethodLabel::of(request.method());
    let id = request_id(request.headers());
    let origin = cors.origin(request.headers());
    let mut response = answer(request).await;
    let status = response.status();
    let took = started.elapsed();
    route.observe(method, status.as_u16(), took);
    if route.keeps_more() {
        route.keep(method, response.request().path(), status.as_u16(), took);
    }
    // A 501 is no failure: this origin does not offer what the client asks for. If the origin has refused a signature,
    // `Verifier` logs that at a limited rate, because clients can cause any number of 501.
    if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
        log_failure(id.to_str().unwrap_or_default(), response.response());
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF.clone());
    // An answer that a cache may repeat gets no request id and names no origin, because it also answers other requests.
    if is_shared(headers) {
        cors::allow(headers, None);
    } else {
        if cors != CorsPolicy::Own {
            cors::allow(headers, origin);
        }
        headers.insert(REQUEST_ID.clone(), id);
    }
    response
}

/// Logs which request has failed and why. Failures that the throttle leaves out are logged at level debug.
fn log_failure<B>(request_id: &str, response: &HttpResponse<B>) {
    let error = response.error().and_then(|error| error.as_error::<ApiError>()).map(ApiError::cause);
    let cause = error.map(|error| error.source().map_or_else(|| error.to_string(), ToString::to_string));
    let extension = || response.extensions().get::<FailureCause>().map(|FailureCause(text)| text.clone());
    let cause = cause.or_else(extension).unwrap_or_default();
    let (cause, request_id) = (redacted(&cause), redacted(request_id));
    let (cause, request_id) = (&*cause, &*request_id);
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

/// The request's own id if it is short and of harmless characters, else a new one.
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
    let id = numbered_id(&PROCESS, COUNT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("none"))
}

/// The id of the request with this number: `process`, and the number in hexadecimal digits. The digits are written by hand, since every request
/// has an id, and the formatter of the standard library takes five times as long.
fn numbered_id(process: &str, number: u64) -> SmallVec<[u8; 32]> {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    let mut id = SmallVec::from_slice(process.as_bytes());
    id.extend((0..digits).rev().map(|place| b"0123456789abcdef"[(number >> (4 * place)) as usize & 0xf]));
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_requests_have_the_number_in_hexadecimal_digits() {
        for number in [0, 1, 0xf, 0x10, 0xabc, 0x1234_5678_9abc_def0, u64::MAX] {
            assert_eq!(&numbered_id("p-", number)[..], format!("p-{number:x}").as_bytes());
        }
    }
}
