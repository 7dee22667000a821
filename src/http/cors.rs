//! What browsers are told so that pages of other origins may ask, and read what they are answered (the Fetch standard,
//! section 3.2).

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::{HttpRequest, HttpResponse};

/// What scripts of other origins may read, beyond the few headers that they always may.
static EXPOSED: HeaderValue =
    HeaderValue::from_static("x-request-id, retry-after, ratelimit, ratelimit-policy");
/// The headers that may be sent, where a preflight does not say which are meant.
static USUAL_HEADERS: HeaderValue = HeaderValue::from_static(
    "accept, content-type, idempotency-key, last-event-id, cache-control, x-requested-with, x-request-id",
);
static ANYBODY: HeaderValue = HeaderValue::from_static("*");
static TRUE: HeaderValue = HeaderValue::from_static("true");

/// The longest origin, and the longest list of headers, that an answer repeats.
const LONGEST_ORIGIN: usize = 300;
const LONGEST_LIST: usize = 1024;

/// Whose requests an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CorsPolicy {
    /// Pages of other origins may ask with credentials (cookies of the same host, `withCredentials`), which the service does not look at.
    /// A browser shows such a page the answer only if it names the page's origin.
    Public,
    /// For operators: a login that somebody has put in front must not be used by pages of other origins.
    Operators,
}

impl CorsPolicy {
    /// The origin that the answer has to name.
    pub(super) fn origin(self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(ORIGIN).filter(|_| self == CorsPolicy::Public)?;
        let harmless = (1..=LONGEST_ORIGIN).contains(&origin.len())
            && origin.as_bytes().iter().all(u8::is_ascii_graphic);
        harmless.then(|| origin.clone())
    }
}

/// Lets pages of other origins read the answer. `origin` is left out where the answer is kept for all: there, what
/// keeps it names the origin of each request, and there is nothing in it to expose.
pub(super) fn allow(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    match origin {
        None => drop(headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY.clone())),
        Some(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED.clone());
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
    }
}

/// The answer to a browser that asks whether a page of another origin may send a request: it may. Which headers scripts add to
/// their requests (for tracing, for one) is not for the service to know, so it allows those that it is asked about; not by
/// `*`, which allows none where there are credentials.
pub(super) async fn preflight(request: HttpRequest, methods: &'static str) -> HttpResponse {
    let asked = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|list| is_harmless(list));
    HttpResponse::NoContent()
        .insert_header((ALLOW, methods))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(&USUAL_HEADERS).clone()))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "86400"))
        .insert_header((VARY, "access-control-request-headers"))
        .finish()
}

/// Whether this is a short list of names of headers.
fn is_harmless(list: &HeaderValue) -> bool {
    let part_of_list = |b: &u8| b.is_ascii_alphanumeric() || b"-_., ".contains(b);
    (1..=LONGEST_LIST).contains(&list.len()) && list.as_bytes().iter().all(part_of_list)
}
