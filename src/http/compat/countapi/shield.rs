//! The badges of Abacus (`/get/…/shield`, `/hit/…/shield`). The colour, the size and the font of their text are left out.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::answer::Told;
use super::changes::count;
use super::reads::look_up;
use crate::badge::{Badge, BadgeText, Color, Style};
use crate::http::compat::badge_parts::{color, picture, style_named, text};
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::hit_request::known_parameters;
use crate::http::pictures::error_picture;

/// How the names of the styles end whose badges have no label.
const WITHOUT_LABEL: &str = "-simple";

/// Answers the value as a badge; 404 if the counter does not exist.
pub(super) async fn get(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    context.shared.countapi.add_request();
    drawn(&request, look_up(&request, &context)).await
}

/// Adds 1 and answers the new value as a badge. The counter is created if it does not exist.
pub(super) async fn hit(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    context.shared.countapi.add_request();
    drawn(&request, count(&request, &context)).await
}

/// Does the work of the request and answers the value as a badge. An error is a picture, too.
async fn drawn(request: &HttpRequest, work: impl Future<Output = Result<Told, ApiError>>) -> HttpResponse {
    let drawn = async {
        // A badge that cannot be drawn must not count.
        let plain = badge(request)?;
        let value = work.await?.value()?;
        Ok(picture(&Badge { message: BadgeText::lossy(&value.to_string()), ..plain }, None))
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// The badge that the request asks for, without the number.
fn badge(request: &HttpRequest) -> Result<Badge, ApiError> {
    let query = known_parameters(request, &["bgcolor", "text", "style"])?;
    let given = query.get("style").unwrap_or_default();
    let (name, has_label) = given.strip_suffix(WITHOUT_LABEL).map_or((given, true), |name| (name, false));
    let label = text(&query, "text", "counter")?;
    Ok(Badge {
        style: style_named(name, Style::Flat),
        label: if has_label { label } else { BadgeText::default() },
        message: BadgeText::default(),
        color: color(&query, "bgcolor", "007ec6")?,
        label_color: Color::GREY,
    })
}
