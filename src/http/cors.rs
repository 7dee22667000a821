//! Tells browsers that pages of other origins may send requests and read the answers (CORS; the Fetch standard,
//! section 3.2).

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::{HttpRequest, HttpResponse};

/// The headers that scripts of other origins may read, beside the few that they may always read.
static EXPOSED: HeaderValue =
    HeaderValue::from_static("x-request-id, retry-after, ratelimit, ratelimit-policy");
/// The same for an answer that links to the next page of a list.
pub(super) static EXPOSED_WITH_LINK: HeaderValue =
    HeaderValue::from_static("x-request-id, retry-after, ratelimit, ratelimit-policy, link");
/// The same for an answer that may say that it is not all.
pub(super) static EXPOSED_WITH_TRUNCATED: HeaderValue =
    HeaderValue::from_static("x-request-id, retry-after, ratelimit, ratelimit-policy, x-truncated");
/// The headers that a page may send, if its preflight names none or an unusable list.
static USUAL_HEADERS: HeaderValue = HeaderValue::from_static(
    "accept, content-type, idempotency-key, last-event-id, cache-control, x-requested-with, x-request-id",
);
static ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
static TRUE: HeaderValue = HeaderValue::from_static("true");

/// The longest origin, and the longest list of headers, that an answer repeats.
const LONGEST_ORIGIN: usize = 300;
const LONGEST_LIST: usize = 1024;

/// Which pages of other origins may read the answers of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CorsPolicy {
    /// All pages, also if they send credentials (cookies of the same host, `withCredentials`), which the service ignores. A
    /// browser gives such a page the answer only if the answer names the page's origin.
    Public,
    /// Only pages that send no credentials. If an operator has put a login in front of the resource, pages of other origins
    /// must not use that login.
    Operators,
    /// All pages, without credentials. The answer names no origin, because caches repeat it to pages of other origins.
    Repeated,
    /// No pages of other origins.
    Own,
}

impl CorsPolicy {
    /// The origin that the answer has to name; `None` if the answer is for any origin without credentials.
    pub(super) fn origin(self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(ORIGIN).filter(|_| self == CorsPolicy::Public)?;
        let harmless = (1..=LONGEST_ORIGIN).contains(&origin.len())
            && origin.as_bytes().iter().all(u8::is_ascii_graphic);
        harmless.then(|| origin.clone())
    }
}

/// Lets pages of other origins read the answer. An answer that a cache may repeat must name no `origin`: the cache adds
/// the origin of each request itself, and such an answer has no headers to expose.
pub(super) fn allow(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    match origin {
        None => drop(headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN.clone())),
        Some(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE.clone());
            // The answers of some resources have further headers to expose.
            if !headers.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS) {
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED.clone());
            }
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
    }
}

/// Answers a browser that asks whether a page of another origin may send a request: the page may. Scripts add headers that the
/// service cannot know, for tracing for example, so the answer allows the headers that the browser names. It does not say `*`,
/// which allows no header to a request with credentials.
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

/// Whether this is a short list of header names.
fn is_harmless(list: &HeaderValue) -> bool {
    let part_of_list = |b: &u8| b.is_ascii_alphanumeric() || b"-_., ".contains(b);
    (1..=LONGEST_LIST).contains(&list.len()) && list.as_bytes().iter().all(part_of_list)
}
