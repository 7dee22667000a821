//! `/counters/{id}/history` and `/counters/{id}/chart.svg`: the past of a counter, for programs and as a picture.

use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::accept::negotiate;
use super::context::WorkerContext;
use super::counter_path::{check_known, id_segment};
use super::error::ApiError;
use super::media::Media;
use super::pictures::{SVG, restrict};
use super::query::Query;
use crate::domain::{BEFORE_ALL, CounterId, CounterSet, EventId, Topic, Unit};
use crate::history::{Chart, Form, Series, Theme, Zone};
use crate::store::Body;

static JSON: HeaderValue = HeaderValue::from_static("application/json");
static CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");

/// A counter and its past.
struct Past {
    id: CounterId,
    series: Series,
    /// The present time by the clock of the store, in milliseconds since 1970.
    now: i64,
}

/// Answers the values of the counter in the last hours or days, as JSON or CSV; 304 if the client has the answer already.
pub(super) async fn series(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(request.query_string(), &["unit", "last", "tz", "format"])?;
    let media = match query.get("format") {
        Some(_) => query.one_of("format", &[("json", Media::Json), ("csv", Media::Csv)])?,
        None => negotiate(request.headers(), &[Media::Json, Media::Csv])?,
    };
    let past = past(&request, &context, &query).await?;
    let (media_type, body) = match media {
        Media::Csv => (&CSV, past.series.csv()),
        _ => (&JSON, past.series.json(past.id.as_str())),
    };
    Ok(answer(&request, &context, &past, media_type, body))
}

/// Answers the values of the counter in the last hours or days as a picture; 304 if the client has the picture already.
pub(super) async fn chart(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(request.query_string(), &["unit", "last", "tz", "form", "theme"])?;
    let form = query.one_of("form", &[("line", Form::Line), ("bars", Form::Bars)])?;
    let themes = [("auto", Theme::Auto), ("light", Theme::Light), ("dark", Theme::Dark)];
    let theme = query.one_of("theme", &themes)?;
    let past = past(&request, &context, &query).await?;
    let svg = Chart { id: past.id.as_str(), series: &past.series, form, theme }.svg();
    let mut response = answer(&request, &context, &past, &SVG, svg);
    restrict(response.headers_mut());
    Ok(response)
}

/// The counter and the hours or days that the request asks for.
async fn past(request: &HttpRequest, context: &WorkerContext, query: &Query) -> Result<Past, ApiError> {
    let text = id_segment(request);
    if CounterSet::is_list(text) {
        return Err(ApiError::BadRequest("each counter has a history of its own: ask for one".into()));
    }
    let id: CounterId = text.parse().map_err(|error| ApiError::BadRequest(format!("{error}")))?;
    check_known(context, &id)?;
    let unit = query.one_of("unit", &[("hour", Unit::Hour), ("day", Unit::Day)])?;
    let zone = Zone::named(query.get("tz").unwrap_or("UTC"))
        .map_err(|error| ApiError::BadRequest(format!("tz {error}")))?;
    // The days of a time zone other than UTC are put together from hours.
    let kept_as = if zone.is_utc() { unit } else { Unit::Hour };
    let (usual, most) = reach(context, unit, kept_as)?;
    let last = match query.get("last") {
        Some(text) => last(text, most)?,
        None => usual,
    };
    let (entries, now) = entries(context, &Topic::counter(&id), kept_as).await?;
    let series = match (unit, kept_as) {
        (Unit::Hour, _) => Series::of_hours(&entries, last, now, zone),
        (Unit::Day, Unit::Day) => Series::of_days(&entries, last, now),
        (Unit::Day, Unit::Hour) => Series::of_local_days(&entries, last, now, zone),
    };
    Ok(Past { id, series, now })
}

/// The number of each hour or day in which the counter was announced, with the value announced last in it; and the present time.
async fn entries(
    context: &WorkerContext,
    topic: &Topic,
    unit: Unit,
) -> Result<(Vec<(i64, i64)>, i64), ApiError> {
    let read = || async { context.live.history(topic, unit, u16::MAX).await.map_err(ApiError::unread) };
    let mut history = read().await?;
    if history.points.is_empty() {
        // A counter that does not exist, or that was never announced, had the value 0 until now. Any other counter without
        // entries is older than its history, so its past is unknown.
        let reading = context.live.read(topic.clone()).await.map_err(ApiError::unread)?;
        if reading.body == Body::Gone || reading.published == EventId::default() {
            return Ok((vec![(BEFORE_ALL.number, BEFORE_ALL.value)], history.now));
        }
        // The counter may have been announced for the first time since the history was read.
        history = read().await?;
    }
    let entries = history.points.iter().map(|point| (point.number, point.value)).collect();
    Ok((entries, history.now))
}

/// The present day, in UTC.
pub(super) struct Today {
    /// The value at the beginning of the day, if it is known.
    pub(super) began_with: Option<i64>,
    /// The amount that was added in the day and announced, if it is known.
    pub(super) added: Option<i64>,
    /// The seconds until the day ends, at least one.
    pub(super) ends_in: u64,
}

/// Checks that days of the past are kept; 404 if none are.
pub(super) fn check_days(context: &WorkerContext) -> Result<(), ApiError> {
    reach(context, Unit::Day, Unit::Day).map(drop)
}

/// The present day of a topic; 404 if no days are kept.
pub(super) async fn today(context: &WorkerContext, topic: &Topic) -> Result<Today, ApiError> {
    check_days(context)?;
    let (days, now) = entries(context, topic, Unit::Day).await?;
    let series = Series::of_days(&days, 1, now);
    let day = series.points().last();
    let (value, added) = (day.and_then(|day| day.value), day.and_then(|day| day.added));
    Ok(Today {
        began_with: value.zip(added).map(|(value, added)| value - added),
        added,
        ends_in: series.changes_in(now),
    })
}

/// How many hours or days the answer has if the request gives no `last`, and the greatest `last`; 404 if the service keeps none.
fn reach(context: &WorkerContext, unit: Unit, kept_as: Unit) -> Result<(u16, u16), ApiError> {
    let retention = context.shared.history;
    let kept = retention.of(kept_as);
    if kept == 0 {
        let name = kept_as.name();
        return Err(ApiError::NotFound(format!(
            "no {name}s of the past are kept here: history.{name}s is 0"
        )));
    }
    if unit == kept_as {
        return Ok((kept, kept));
    }
    // The kept hours always contain this many whole days. If a counter seldom changes, its kept hours may reach back further.
    let whole = (kept / 24).max(1);
    Ok((whole, whole.max(retention.days)))
}

/// The number of hours or days that the request asks for. Only one spelling of each number is accepted, so that caches keep one
/// answer for each number.
fn last(text: &str, most: u16) -> Result<u16, ApiError> {
    let number = text.parse().ok().filter(|number: &u16| number.to_string() == text);
    number.filter(|number| (1..=most).contains(number)).ok_or_else(|| {
        ApiError::BadRequest(format!("last must be a whole number from 1 to {most}, in plain digits"))
    })
}

fn answer(
    request: &HttpRequest,
    context: &WorkerContext,
    past: &Past,
    media_type: &HeaderValue,
    body: String,
) -> HttpResponse {
    let changes_in = Some(past.series.changes_in(past.now));
    context.shared.cache.representation(request, &Topic::counter(&past.id), media_type, body, changes_in)
}
