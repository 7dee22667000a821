//! `/count/tag.svg` and `/nocount/tag.svg`: the hits of a page as a badge; `/nocount/tag.json`: the same for shields.io.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::badge_query::BadgeLook;
use super::context::WorkerContext;
use super::error::ApiError;
use super::hit_answer::represent;
use super::hit_request::{known_parameters, page, rules};
use super::hits::{Hits, answer, counted};
use super::media::JSON;
use super::past::{check_days, today, zone};
use super::pictures::{SVG, error_picture, restrict, share};
use super::uniques::{check_enabled, uniques};
use crate::domain::{PageAddress, Topic};
use crate::history::Zone;

/// Which number a badge shows.
#[derive(Clone, Copy)]
enum TagNumber {
    /// The hits of the page.
    Page,
    /// The hits of all pages of the site.
    Site,
    /// The hits of the page in the present day.
    Day,
    /// The different visitors of the site in each day, added up.
    Visitors,
}

/// How a badge should look, and which number it shows.
struct Tag {
    look: BadgeLook,
    number: TagNumber,
    zone: Zone,
}

/// The number of a badge, and what caches must know about it.
struct Shown {
    /// The number, if it is known.
    number: Option<i64>,
    topic: Topic,
    /// In how many seconds the number changes even if there is no hit; `None` if it does not change.
    changes_in: Option<u64>,
}

/// Counts a hit of the page and answers a number as a badge. An error is a picture, too.
pub(super) async fn count(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        // A badge that cannot be drawn must not count.
        let tag = Tag::of(&request, &context)?;
        let Hits { page, value, cookie } = counted(&request, &context).await?;
        let shown = shown(&context, &tag, &page, Some(value)).await?;
        Ok(picture(tag, shown.number, cookie))
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// Answers a number as a badge. An error is a picture, too.
pub(super) async fn read(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        let tag = Tag::of(&request, &context)?;
        let page = page(&request, rules(&context)?)?;
        let shown = shown(&context, &tag, &page, None).await?;
        Ok(picture(tag, shown.number, None))
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// Answers a number by the schema of shields.io's endpoint badge; 304 if the client has it already.
pub(super) async fn json(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let tag = Tag::of(&request, &context)?;
    let page = page(&request, rules(&context)?)?;
    let Shown { number, topic, changes_in } = shown(&context, &tag, &page, None).await?;
    let body = tag.look.badge(number).json();
    let mut response = represent(&request, &context, &topic, &JSON, body, changes_in);
    share(response.headers_mut());
    Ok(response)
}

impl Tag {
    /// Reads how the badge should look and which number it shows; 404 if nothing is kept from which the number could be known.
    /// All other parameters are ignored.
    fn of(request: &HttpRequest, context: &WorkerContext) -> Result<Tag, ApiError> {
        let query = known_parameters(request, &[&BadgeLook::PARAMETERS[..], &["of", "tz"]].concat())?;
        let numbers = [
            ("page", TagNumber::Page),
            ("site", TagNumber::Site),
            ("day", TagNumber::Day),
            ("visitors", TagNumber::Visitors),
        ];
        let (number, zone) = (query.one_of("of", &numbers)?, zone(&query)?);
        let label = match number {
            TagNumber::Visitors => "visitors",
            _ => "hits",
        };
        match number {
            TagNumber::Day => check_days(context, &zone)?,
            TagNumber::Visitors => check_enabled(context)?,
            TagNumber::Page | TagNumber::Site => {}
        }
        Ok(Tag { look: BadgeLook::with_label(&query, label)?, number, zone })
    }
}

/// The number that the badge shows. `counted` is the value of the page if the request has just counted.
async fn shown(
    context: &WorkerContext,
    tag: &Tag,
    page: &PageAddress,
    counted: Option<i64>,
) -> Result<Shown, ApiError> {
    let (topic, counted) = match tag.number {
        TagNumber::Visitors => {
            let site = Topic::site(page);
            let number = Some(uniques(context, &site).await?.all);
            return Ok(Shown { number, topic: site, changes_in: None });
        }
        TagNumber::Site => (Topic::site(page), None),
        TagNumber::Page | TagNumber::Day => (Topic::page(page), counted),
    };
    let value = match counted {
        Some(value) => value,
        None => context.live.read(topic.clone()).await.map_err(ApiError::unread)?.value(),
    };
    let TagNumber::Day = tag.number else {
        return Ok(Shown { number: Some(value), topic, changes_in: None });
    };
    let today = today(context, &topic, tag.zone.clone()).await?;
    // What the history knows of today is late by an interval, so it would not show the hit that was just counted.
    let number = today.began_with.map(|start| value - start);
    Ok(Shown { number, topic, changes_in: Some(today.ends_in) })
}

fn picture(tag: Tag, number: Option<i64>, cookie: Option<String>) -> HttpResponse {
    let body = tag.look.badge(number).svg();
    let mut response = answer(cookie, SVG.clone()).body(body);
    restrict(response.headers_mut());
    response
}
