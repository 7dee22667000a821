//! What all pictures have in common: their headers, and that an error is a picture, too.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::error::ApiError;
use crate::access::redacted;
use crate::badge::{Badge, BadgeText, Color, Style};

/// The media type of a picture.
pub(super) static SVG: HeaderValue = HeaderValue::from_static("image/svg+xml");
/// The content security policy of a picture. A browser that opens the picture as a page of its own loads nothing and runs no
/// script.
static ONLY_STYLE: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Adds the headers that keep a picture from loading anything and from running scripts, and the header of [`share`].
pub(super) fn restrict(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, ONLY_STYLE.clone());
    share(headers);
}

/// Adds the header that lets pages of other origins embed the answer, even pages that are isolated from other origins
/// (`Cross-Origin-Embedder-Policy: require-corp`).
pub(super) fn share(headers: &mut HeaderMap) {
    headers.insert(RESOURCE_POLICY.clone(), HeaderValue::from_static("cross-origin"));
}

/// The answer to an error as a picture that says what is wrong: a browser shows a picture with any status, but no problem in
/// JSON. The status and the headers are those of the problem.
pub(super) fn error_picture(error: ApiError) -> HttpResponse {
    let detail = redacted(&error.to_string()).into_owned();
    let response = HttpResponse::from_error(error);
    let badge = Badge {
        style: Style::default(),
        label: BadgeText::lossy(&format!("error {}", response.status().as_u16())),
        message: BadgeText::lossy(&detail),
        color: Color::RED,
        label_color: Color::GREY,
    };
    let mut response = response.map_body(|_, _| BoxBody::new(badge.svg()));
    response.headers_mut().insert(CONTENT_TYPE, SVG.clone());
    restrict(response.headers_mut());
    response
}
