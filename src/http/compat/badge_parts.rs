//! What the badges of other services have in common: how their parameters are read, and the answer.

use actix_web::HttpResponse;

use crate::badge::{Badge, BadgeText, Color, Style};
use crate::http::error::ApiError;
use crate::http::hits::answer;
use crate::http::pictures::{SVG, restrict};
use crate::http::query::Query;

/// The path of the cookies of visitors: the routes of the services have no beginning in common.
pub(super) const COOKIE_PATH: &str = "/";

/// The text that a parameter gives, or the usual one.
pub(super) fn text(query: &Query, name: &str, usual: &str) -> Result<BadgeText, ApiError> {
    query.get(name).unwrap_or(usual).parse().map_err(|error| refused(name, error))
}

/// The colour that a parameter gives, or the usual one. An empty parameter gives none: the `#` of a colour that is not encoded ends the
/// query, so that the parameter is empty and all behind it are missing.
pub(super) fn color(query: &Query, name: &str, usual: &str) -> Result<Color, ApiError> {
    let given = query.get(name).filter(|text| !text.is_empty());
    given.unwrap_or(usual).parse().map_err(|error| refused(name, error))
}

/// The style that a parameter gives; `usual` if it gives none that is known here.
pub(super) fn style(query: &Query, usual: Style) -> Style {
    style_named(query.get("style").unwrap_or_default(), usual)
}

/// The style of this name; `usual` if none is called so here.
pub(super) fn style_named(given: &str, usual: Style) -> Style {
    Style::NAMED.into_iter().find(|(name, _)| *name == given).map_or(usual, |(_, style)| style)
}

/// The answer with a badge, and with the cookie for a visitor who was just counted.
pub(super) fn picture(badge: &Badge, cookie: Option<String>) -> HttpResponse {
    let mut response = answer(cookie, SVG.clone()).body(badge.svg());
    restrict(response.headers_mut());
    response
}

/// The value of a parameter that must be there; 400 if it is missing or empty.
pub(super) fn required<'a>(query: &'a Query, name: &str, like: &str) -> Result<&'a str, ApiError> {
    let missing = || ApiError::BadRequest(format!("{name} is missing; name it as in ?{name}={like}"));
    query.get(name).filter(|text| !text.trim().is_empty()).ok_or_else(missing)
}

fn refused(name: &str, error: impl std::fmt::Display) -> ApiError {
    ApiError::BadRequest(format!("{name} {error}"))
}
