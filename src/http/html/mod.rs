//! What the pages of this service have in common, the home page and those for administrators: the files that they load, how they show numbers,
//! the headers that keep them from loading anything else, and the address of the service in their examples.

pub(super) mod assets;
pub(super) mod shown;

use actix_web::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponseBuilder};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Adds the headers that keep the page and its scripts from loading or sending anything elsewhere.
pub(super) fn restrict(response: &mut HttpResponseBuilder) {
    response.insert_header((CONTENT_SECURITY_POLICY, POLICY)).insert_header((REFERRER_POLICY, "same-origin"));
}

/// The address of this service, as the client has used it.
pub(super) fn own_origin(request: &HttpRequest) -> String {
    let connection = request.connection_info();
    origin(connection.scheme(), connection.host())
}

/// The address under which a client has reached this service. The client chooses the host, so a text that is no host is replaced.
pub(super) fn origin(scheme: &str, host: &str) -> String {
    let scheme = if scheme == "https" { "https" } else { "http" };
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let usable = (1..=255).contains(&host.len()) && host.bytes().all(harmless);
    format!("{scheme}://{}", if usable { host } else { "localhost" })
}
