//! `/counters/{id}/badge.svg` and `/counters/{id}/badge.json`: a counter as a badge. Looking at a badge never counts.

use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::badge_query::BadgeLook;
use super::context::WorkerContext;
use super::counter_path::{check_known, id_segment, is_list};
use super::error::ApiError;
use super::media::JSON;
use super::past::{today, zone};
use super::pictures::{SVG, error_picture, restrict, share};
use super::query::Query;
use crate::badge::Badge;
use crate::domain::{CounterId, Topic};

/// Which number of a counter a badge shows.
#[derive(Clone, Copy)]
enum Shown {
    /// The value.
    Total,
    /// What was added in the present day.
    Day,
}

/// A badge, and what caches must know about it.
struct Found {
    badge: Badge,
    topic: Topic,
    /// In how many seconds the badge changes even if the value does not; `None` if it does not change.
    changes_in: Option<u64>,
}

/// Answers the badge as a picture; 304 if the client has the picture already. An error is a picture, too.
pub(super) async fn svg(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    match find(&request, &context).await {
        Ok(found) => {
            let body = found.badge.svg();
            let mut response = answer(&request, &context, &found, &SVG, body);
            restrict(response.headers_mut());
            response
        }
        Err(error) => error_picture(error),
    }
}

/// Answers the badge by the schema of shields.io's endpoint badge; 304 if the client has it already.
pub(super) async fn json(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let found = find(&request, &context).await?;
    let body = found.badge.json();
    let mut response = answer(&request, &context, &found, &JSON, body);
    share(response.headers_mut());
    Ok(response)
}

/// The badge that the request asks for.
async fn find(request: &HttpRequest, context: &WorkerContext) -> Result<Found, ApiError> {
    let known: Vec<&str> = BadgeLook::PARAMETERS.into_iter().chain(["of", "tz"]).collect();
    let query = Query::of(request.query_string(), &known)?;
    let look = BadgeLook::of(&query)?;
    let shown = query.one_of("of", &[("total", Shown::Total), ("day", Shown::Day)])?;
    let zone = zone(&query)?;
    let text = id_segment(request);
    if is_list(text) {
        return Err(ApiError::BadRequest("each counter has a badge of its own: ask for one".into()));
    }
    let id: CounterId = text.parse().map_err(|error| ApiError::BadRequest(format!("{error}")))?;
    check_known(context, &id)?;
    let topic = Topic::counter(&id);
    let (number, changes_in) = match shown {
        Shown::Total => {
            let reading = context.live.read(topic.clone()).await.map_err(ApiError::unread)?;
            (Some(reading.value()), None)
        }
        Shown::Day => {
            let today = today(context, &topic, zone).await?;
            (today.added, Some(today.ends_in))
        }
    };
    Ok(Found { badge: look.badge(number), topic, changes_in })
}

fn answer(
    request: &HttpRequest,
    context: &WorkerContext,
    found: &Found,
    media_type: &HeaderValue,
    body: String,
) -> HttpResponse {
    context.shared.cache.representation(request, &found.topic, media_type, body, found.changes_in)
}
