//! The badges of `hits.seeyoufarm.com`: the hits of the present day and of all time, of any page. Its icons are left out.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::badge_parts::{COOKIE_PATH, color, picture, required, text};
use super::service_routes::ServiceRoutes;
use crate::badge::{Badge, BadgeText, Color, Style};
use crate::domain::{PageAddress, Topic};
use crate::history::{Subject, Zone};
use crate::hits::HitRules;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::hit_request::{is_hit, known_parameters, page_at, rules};
use crate::http::hits::{answer, count_if};
use crate::http::past::{picture as chart_of, today};
use crate::http::pictures::{SVG, error_picture, restrict};
use crate::http::query::Query;

/// How many days the chart of the service has.
const DAYS: u16 = 60;

/// Adds the routes of the service.
pub(super) fn routes(routes: &mut ServiceRoutes<'_>) {
    let count = |request, context| badge(request, context, true);
    let read = |request, context| badge(request, context, false);
    routes.readable("seeyoufarm:/api/count/incr/badge.svg", "/api/count/incr/badge.svg", count);
    routes.readable("seeyoufarm:/api/count/keep/badge.svg", "/api/count/keep/badge.svg", read);
    routes.readable("seeyoufarm:/api/count/graph/dailyhits.svg", "/api/count/graph/dailyhits.svg", chart);
}

/// How a badge should look.
struct Look {
    style: Style,
    title: BadgeText,
    title_color: Color,
    count_color: Color,
}

impl Look {
    const PARAMETERS: [&str; 5] = ["url", "title", "title_bg", "count_bg", "edge_flat"];

    fn of(query: &Query) -> Result<Look, ApiError> {
        let is_flat = matches!(query.get("edge_flat"), Some("true" | "True" | "TRUE" | "t" | "T" | "1"));
        Ok(Look {
            style: if is_flat { Style::FlatSquare } else { Style::Flat },
            title: text(query, "title", "hits")?,
            title_color: color(query, "title_bg", "#555")?,
            count_color: color(query, "count_bg", "#79c83d")?,
        })
    }
}

/// Answers the hits as a badge, and counts the request if `counts` and if it is a hit. An error is a picture, too.
async fn badge(request: HttpRequest, context: Data<WorkerContext>, counts: bool) -> HttpResponse {
    let drawn = async {
        // A badge that cannot be drawn must not count.
        let query = known_parameters(&request, &Look::PARAMETERS)?;
        let look = Look::of(&query)?;
        let counts = counts && is_hit(&request, rules(&context)?);
        let hits = count_if(&request, &context, counts, COOKIE_PATH, |rules| named(&query, rules)).await?;
        let message = match hits_of_today(&context, &hits.page, hits.value).await? {
            Some(today) => format!("{today} / {}", hits.value),
            None => hits.value.to_string(),
        };
        let badge = Badge {
            style: look.style,
            label: look.title,
            message: BadgeText::lossy(&message),
            color: look.count_color,
            label_color: look.title_color,
        };
        Ok(picture(&badge, hits.cookie))
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// Answers the hits of each of the last days as bars. An error is a picture, too.
async fn chart(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        let page = named(&known_parameters(&request, &["url"])?, rules(&context)?)?;
        let days = context.shared.history.days.min(DAYS);
        let query =
            Query::of(&format!("unit=day&form=bars&last={}", days.max(1)), &["unit", "form", "last"])?;
        let document = chart_of(&context, &query, Subject::Page(page.as_str()), &Topic::page(&page)).await?;
        let mut response = answer(None, SVG.clone()).body(document.body);
        restrict(response.headers_mut());
        Ok(response)
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// The page that `url` names.
fn named(query: &Query, rules: &HitRules) -> Result<PageAddress, ApiError> {
    page_at(required(query, "url", "https://github.com/user/repo")?, rules)
}

/// How many of these hits of the page are of the present day, in UTC; `None` if that is not known: no days are kept, or the hits are older
/// than the past that is kept, as those of an import.
async fn hits_of_today(
    context: &WorkerContext,
    page: &PageAddress,
    hits: i64,
) -> Result<Option<i64>, ApiError> {
    if context.shared.history.days == 0 {
        return Ok(None);
    }
    let today = today(context, &Topic::page(page), Zone::utc()).await?;
    Ok(today.began_with.map(|start| hits - start))
}
