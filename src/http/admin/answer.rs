//! Answers with pages for administrators.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE, VARY, WWW_AUTHENTICATE,
    X_FRAME_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use askama::Template;

use super::guard::{Administrator, set_cookie};
use crate::http::caching::NO_STORE;
use crate::http::error::ApiError;
use crate::http::html::restrict;
use crate::http::media::HTML;

static CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What all pages have.
pub(super) struct Frame {
    /// The name of the key with which the browser has logged in; `None` on a service without keys.
    pub(super) key: Option<String>,
    /// Whether the page is for administrators, and has their menu.
    pub(super) has_menu: bool,
}

impl Frame {
    /// The frame of a page for this administrator; `None` for a page that others see, too.
    pub(super) fn of(administrator: Option<&Administrator>) -> Self {
        let key = match administrator {
            Some(Administrator::LoggedIn(session, _)) => Some(session.key.clone()),
            _ => None,
        };
        Frame { key, has_menu: administrator.is_some() }
    }
}

/// Answers a page.
pub(super) fn page(status: StatusCode, page: &impl Template) -> Result<HttpResponse, ApiError> {
    let text = page.render().map_err(|_| ApiError::Internal)?;
    let mut response = builder(status);
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"livecounter\", scope=\"admin\""));
    }
    Ok(response.insert_header((CONTENT_TYPE, HTML.clone())).body(text))
}

/// Leads the browser to another page, after a form.
pub(super) fn see_other(location: &str) -> HttpResponse {
    builder(StatusCode::SEE_OTHER).insert_header((LOCATION, location)).finish()
}

/// Renews the session of the administrator if that is due.
pub(super) fn renew(request: &HttpRequest, response: &mut HttpResponse, administrator: &Administrator) {
    if let Administrator::LoggedIn(session, _) = administrator
        && let Some(renewed) = &session.renewed
        && let Ok(cookie) = HeaderValue::try_from(set_cookie(request, renewed))
    {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
}

/// Headers with which no cache keeps an answer, and no other site can show or load it.
pub(super) fn for_this_site() -> [(HeaderName, HeaderValue); 4] {
    [
        (CACHE_CONTROL, NO_STORE.clone()),
        (VARY, HeaderValue::from_static("cookie")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (CROSS_ORIGIN_RESOURCE_POLICY.clone(), HeaderValue::from_static("same-origin")),
    ]
}

/// An answer that no cache keeps, and that no other site can show or load.
pub(super) fn builder(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    for header in for_this_site() {
        response.insert_header(header);
    }
    restrict(&mut response);
    response
}
