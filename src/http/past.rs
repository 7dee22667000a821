//! The past of a topic: as a table, as a picture, and how its present day has begun.

use actix_web::http::header::{HeaderMap, HeaderValue};

use super::accept::negotiate;
use super::context::WorkerContext;
use super::error::ApiError;
use super::media::{CSV, JSON, Media};
use super::pictures::SVG;
use super::query::Query;
use crate::domain::{BEFORE_ALL, EventId, Topic, Unit};
use crate::history::{Chart, Form, Series, Subject, Theme, Zone};
use crate::store::Body;

/// The parameters of a table.
pub(super) const TABLE: [&str; 4] = ["unit", "last", "tz", "format"];
/// The parameters of a picture.
pub(super) const PICTURE: [&str; 5] = ["unit", "last", "tz", "form", "theme"];

/// A past as it is answered.
pub(super) struct PastDocument {
    pub(super) media_type: &'static HeaderValue,
    pub(super) body: String,
    /// In how many seconds the document changes even if nothing is added.
    pub(super) changes_in: u64,
}

/// The values of the topic in the last hours or days, as JSON or CSV.
pub(super) async fn table(
    headers: &HeaderMap,
    context: &WorkerContext,
    query: &Query,
    subject: Subject<'_>,
    topic: &Topic,
) -> Result<PastDocument, ApiError> {
    let media = match query.get("format") {
        Some(_) => query.one_of("format", &[("json", Media::Json), ("csv", Media::Csv)])?,
        None => negotiate(headers, &[Media::Json, Media::Csv])?,
    };
    let (series, changes_in) = series(context, query, topic).await?;
    let (media_type, body) = match media {
        Media::Csv => (&CSV, series.csv()),
        _ => (&JSON, series.json(subject)),
    };
    Ok(PastDocument { media_type, body, changes_in })
}

/// The values of the topic in the last hours or days as a picture.
pub(super) async fn picture(
    context: &WorkerContext,
    query: &Query,
    subject: Subject<'_>,
    topic: &Topic,
) -> Result<PastDocument, ApiError> {
    let form = query.one_of("form", &[("line", Form::Line), ("bars", Form::Bars)])?;
    let theme = theme(query)?;
    let (series, changes_in) = series(context, query, topic).await?;
    let body = Chart { subject, series: &series, form, theme }.svg();
    Ok(PastDocument { media_type: &SVG, body, changes_in })
}

/// The colours that the query asks for.
pub(super) fn theme(query: &Query) -> Result<Theme, ApiError> {
    query.one_of("theme", &[("auto", Theme::Auto), ("light", Theme::Light), ("dark", Theme::Dark)])
}

/// The hours or days that the query asks for, and in how many seconds the next one begins.
async fn series(context: &WorkerContext, query: &Query, topic: &Topic) -> Result<(Series, u64), ApiError> {
    let unit = query.one_of("unit", &[("hour", Unit::Hour), ("day", Unit::Day)])?;
    let zone = zone(query)?;
    let kept_as = kept_as(unit, &zone);
    let (usual, most) = reach(context, unit, kept_as)?;
    let last = query.number("last", 1..=most)?.unwrap_or(usual);
    let (entries, now) = entries(context, topic, kept_as).await?;
    let series = match (unit, kept_as) {
        (Unit::Hour, _) => Series::of_hours(&entries, last, now, zone),
        (Unit::Day, Unit::Day) => Series::of_days(&entries, last, now),
        (Unit::Day, Unit::Hour) => Series::of_local_days(&entries, last, now, zone),
    };
    let changes_in = series.changes_in(now);
    Ok((series, changes_in))
}

/// The time zone that the query names; UTC if it names none.
pub(super) fn zone(query: &Query) -> Result<Zone, ApiError> {
    Zone::named(query.get("tz").unwrap_or("UTC")).map_err(|error| ApiError::BadRequest(format!("tz {error}")))
}

/// What hours or days are put together from. The days of a time zone other than UTC are put together from hours.
fn kept_as(unit: Unit, zone: &Zone) -> Unit {
    if zone.is_utc() { unit } else { Unit::Hour }
}

/// The number of each hour or day in which the topic was announced, with the value announced last in it; and the present time.
async fn entries(
    context: &WorkerContext,
    topic: &Topic,
    unit: Unit,
) -> Result<(Vec<(i64, i64)>, i64), ApiError> {
    let read = || async { context.live.history(topic, unit, u16::MAX).await.map_err(ApiError::unread) };
    let mut history = read().await?;
    if history.points.is_empty() {
        // A topic that does not exist, or that was never announced, had the value 0 until now. Any other topic without entries is
        // older than its history, so its past is unknown.
        let reading = context.live.read(topic.clone()).await.map_err(ApiError::unread)?;
        if reading.body == Body::Gone || reading.published == EventId::default() {
            return Ok((vec![(BEFORE_ALL.number, BEFORE_ALL.value)], history.now));
        }
        // The topic may have been announced for the first time since the history was read.
        history = read().await?;
    }
    let entries = history.points.iter().map(|point| (point.number, point.value)).collect();
    Ok((entries, history.now))
}

/// The present day of a time zone.
pub(super) struct Today {
    /// The value at the beginning of the day, if it is known.
    pub(super) began_with: Option<i64>,
    /// The amount that was added in the day and announced, if it is known.
    pub(super) added: Option<i64>,
    /// The seconds until the day ends, at least one.
    pub(super) ends_in: u64,
}

/// Checks that what days of this zone are put together from is kept; 404 if not.
pub(super) fn check_days(context: &WorkerContext, zone: &Zone) -> Result<(), ApiError> {
    reach(context, Unit::Day, kept_as(Unit::Day, zone)).map(drop)
}

/// The present day of a topic; 404 if no days are kept, or no hours for the day of a time zone other than UTC.
pub(super) async fn today(context: &WorkerContext, topic: &Topic, zone: Zone) -> Result<Today, ApiError> {
    check_days(context, &zone)?;
    let kept_as = kept_as(Unit::Day, &zone);
    let (entries, now) = entries(context, topic, kept_as).await?;
    let series = match kept_as {
        Unit::Day => Series::of_days(&entries, 1, now),
        Unit::Hour => Series::of_local_days(&entries, 1, now, zone),
    };
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
    // The kept hours always contain this many whole days. If a topic seldom changes, its kept hours may reach back further.
    let whole = (kept / 24).max(1);
    Ok((whole, whole.max(retention.days)))
}
