//! The badge of `visitor-badge`: `/badge?page_id=…`, which counts. An id is the page `visitor-badge/{page_id}`, of a host that no
//! page of the web has.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::badge_parts::{COOKIE_PATH, color, picture, required, text};
use super::service_routes::ServiceRoutes;
use crate::badge::{Badge, BadgeText, Style};
use crate::domain::PageAddress;
use crate::hits::HitRules;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::hit_request::{is_hit, known_parameters, page_at, rules};
use crate::http::hits::count_if;
use crate::http::pictures::error_picture;

/// The host of the pages that the ids name.
const HOST: &str = "visitor-badge";
/// The characters of an id that are not kept in an address as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~').remove(b'/');

/// Adds the route of the service.
pub(super) fn routes(routes: &mut ServiceRoutes<'_>) {
    routes.readable("visitor_badge:/badge", "/badge", count);
}

/// Counts a hit of the id and answers the number as a badge. An error is a picture, too.
async fn count(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        let query = known_parameters(&request, &["page_id", "left_color", "right_color", "left_text"])?;
        let badge = Badge {
            style: Style::Flat,
            label: text(&query, "left_text", "visitors")?,
            label_color: color(&query, "left_color", "grey")?,
            message: BadgeText::default(),
            color: color(&query, "right_color", "blue")?,
        };
        let counts = is_hit(&request, rules(&context)?);
        let named = |rules: &HitRules| page_of(required(&query, "page_id", "user.repo")?, rules);
        let hits = count_if(&request, &context, counts, COOKIE_PATH, named).await?;
        Ok(picture(&Badge { message: BadgeText::lossy(&hits.value.to_string()), ..badge }, hits.cookie))
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// The page of an id. `.` and `..` between slashes would make another id of it. As an address, an id has no control characters, encoded
/// ones included.
fn page_of(id: &str, rules: &HitRules) -> Result<PageAddress, ApiError> {
    if id.contains(char::is_control) {
        return Err(ApiError::BadRequest("page_id must have no control characters".into()));
    }
    if id.split('/').any(|part| part == "." || part == "..") {
        return Err(ApiError::BadRequest("page_id must have no . or .. between slashes".into()));
    }
    page_at(&format!("{HOST}/{}", utf8_percent_encode(id, ENCODED)), rules)
}
