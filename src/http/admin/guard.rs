//! Decides who may use the pages of administrators: a browser with a session, and on a service without keys a client of this machine.
//!
//! The session is in a cookie. Another site could make a browser send a request with this cookie, so the cookie is
//! `SameSite=Strict`, and a request that a page of another site has caused counts as one without the cookie; a form must besides
//! come from a page of this service.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue, ORIGIN};

use crate::access::{Needed, NewSession, Presented, Session};
use crate::http::context::WorkerContext;
use crate::http::cookies::cookies;
use crate::http::error::ApiError;
use crate::http::local::is_local;

/// The name of the cookie.
const COOKIE_NAME: &str = "livecounter_admin";
/// The path below which browsers send the cookie.
const PATH: &str = "/admin";
/// The parameters of a query that carry secrets elsewhere.
const SECRET_PARAMETERS: [&str; 2] = ["_key", "_ticket"];

static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who has sent a request that may do everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Administrator {
    /// A browser that has logged in, with the text of its cookie.
    LoggedIn(Session, String),
    /// A client of this machine, while the service has no keys.
    Local,
}

/// The administrator who has sent the request. 401 or 403 for all others, 400 if the address of the request has a key or a ticket.
pub(super) fn administrator(
    request: &HttpRequest,
    context: &WorkerContext,
) -> Result<Administrator, ApiError> {
    refuse_secrets_in_query(request)?;
    let access = &context.shared.access;
    if !is_from_elsewhere(request) {
        let mut cookies = sessions(request);
        let session = cookies.find_map(|text| access.session(text, now()).map(|session| (session, text)));
        if let Some((session, text)) = session {
            return Ok(Administrator::LoggedIn(session, text.to_owned()));
        }
        if access.has_no_keys() && context.shared.trusts_local && is_local(request) {
            return Ok(Administrator::Local);
        }
    }
    let denied = access.admit(&Presented::Nothing, &Needed::Admin, false);
    Err(denied.map_or_else(|denied| ApiError::Denied(Box::new(denied)), |_| ApiError::Internal))
}

/// The same for the sender of a form, which must be a page of this service; 403 if it is another page, or if the browser does not say.
pub(super) fn sender_of_form(
    request: &HttpRequest,
    context: &WorkerContext,
) -> Result<Administrator, ApiError> {
    check_form(request)?;
    administrator(request, context)
}

/// Refuses a form that does not come from a page of this service.
pub(super) fn check_form(request: &HttpRequest) -> Result<(), ApiError> {
    refuse_secrets_in_query(request)?;
    let is_own = match request.headers().get(&FETCH_SITE) {
        Some(site) => site == "same-origin",
        None => request.headers().get(ORIGIN).is_some_and(|origin| is_own_origin(request, origin)),
    };
    if is_own {
        return Ok(());
    }
    let problem = "this form must be sent by a page of this service itself; nothing was changed";
    Err(ApiError::Forbidden(problem.to_owned()))
}

/// Refuses a key or a ticket in the address: histories and logs would keep it.
pub(super) fn refuse_secrets_in_query(request: &HttpRequest) -> Result<(), ApiError> {
    let mut names = form_urlencoded::parse(request.query_string().as_bytes()).map(|(name, _)| name);
    if names.any(|name| SECRET_PARAMETERS.contains(&&*name)) {
        let problem = "a key has no place in the address of this page, as histories and logs keep addresses: log in with the form at \
                       /admin, and make a new key in the place of this one";
        return Err(ApiError::BadRequest(problem.to_owned()));
    }
    Ok(())
}

/// Begins a session with the secret of a key; `None` if no key with the scope `admin` has this secret.
pub(super) fn log_in(context: &WorkerContext, secret: &str) -> Option<NewSession> {
    context.shared.access.begin_session(secret, now())
}

/// Whether the administrator may go on with a stream: the session is still good and needs no renewal, which only a new request brings.
pub(super) fn may_go_on(administrator: &Administrator, context: &WorkerContext) -> bool {
    let access = &context.shared.access;
    match administrator {
        Administrator::LoggedIn(_, text) => {
            access.session(text, now()).is_some_and(|session| session.renewed.is_none())
        }
        Administrator::Local => access.has_no_keys(),
    }
}

/// The value of `Set-Cookie` for a session. Browsers send the cookie over TLS only if it was set over TLS.
pub(super) fn set_cookie(request: &HttpRequest, session: &NewSession) -> String {
    cookie(request, &session.text, session.lifetime.as_secs())
}

/// The value of `Set-Cookie` that makes a browser forget its session.
pub(super) fn forget_cookie(request: &HttpRequest) -> String {
    cookie(request, "", 0)
}

fn cookie(request: &HttpRequest, text: &str, seconds: u64) -> String {
    let is_secure = request.connection_info().scheme() == "https";
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={text}; Path={PATH}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn sessions(request: &HttpRequest) -> impl Iterator<Item = &str> {
    cookies(request.headers()).filter(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

/// Whether a page of another site has caused the request, as browsers say. Over plain http they say nothing of the site, but name the origin
/// of a page that wants to read an answer of another one.
fn is_from_elsewhere(request: &HttpRequest) -> bool {
    match request.headers().get(&FETCH_SITE) {
        Some(site) => site == "cross-site" || site == "same-site",
        None => request.headers().get(ORIGIN).is_some_and(|origin| !is_own_origin(request, origin)),
    }
}

/// Whether a browser has named this service as the origin. Only the hosts are compared, as a proxy in front may speak TLS without
/// saying so.
fn is_own_origin(request: &HttpRequest, origin: &HeaderValue) -> bool {
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    host.is_some_and(|host| host.eq_ignore_ascii_case(request.connection_info().host()))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_form_must_come_from_a_page_of_the_service() {
        let check = |headers: &[(&'static str, &'static str)]| {
            let mut request =
                TestRequest::post().uri("/admin/login").append_header(("host", "a.example:8000"));
            for header in headers {
                request = request.append_header(*header);
            }
            check_form(&request.to_http_request()).is_ok()
        };
        let (site, origin) = ("sec-fetch-site", "origin");
        assert!(check(&[(site, "same-origin")]));
        assert!(check(&[(origin, "http://a.example:8000")]));
        assert!(check(&[(origin, "https://A.example:8000")]));
        for headers in [
            &[][..],
            &[(site, "cross-site")],
            &[(site, "same-site")],
            &[(site, "none")],
            &[(site, "cross-site"), (origin, "http://a.example:8000")],
            &[(origin, "http://a.example")],
            &[(origin, "http://b.example:8000")],
            &[(origin, "http://a.example:8000.b.example")],
            &[(origin, "null")],
            &[(origin, "")],
        ] {
            assert!(!check(headers), "{headers:?}");
        }
    }
}
