//! `/count` and `/nocount`: the hits of a page, in bare digits, as pages expect that were written for the hit-counter with these
//! routes; `/count/tag.svg` and `/nocount/tag.svg`: the same as a badge.

use actix_web::http::header::{CONTENT_TYPE, HeaderValue, SET_COOKIE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::access_checks::check_writer;
use super::badge_query::BadgeLook;
use super::caching::never_kept;
use super::context::WorkerContext;
use super::error::ApiError;
use super::history::{check_days, today};
use super::hit_request::{is_hit, page, rules};
use super::limit_checks::{check_write, hit};
use super::pictures::{SVG, error_picture, restrict, share};
use super::query::Query;
use super::visitor::Visitor;
use crate::access::Space;
use crate::domain::{PageAddress, Topic};
use crate::hits::HitRules;

/// A page, how many hits it has, and the cookie for a visitor who was just counted.
pub(super) struct Hits {
    pub(super) page: PageAddress,
    pub(super) value: i64,
    pub(super) cookie: Option<String>,
}

/// Which number a badge shows.
#[derive(Clone, Copy)]
enum TagNumber {
    /// The hits of the page.
    Page,
    /// The hits of all pages of the site.
    Site,
    /// The hits of the page in the present day, in UTC.
    Day,
}

/// Counts a hit and answers how many hits the page has.
pub(super) async fn count(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    Ok(digits(counted(&request, &context).await?))
}

/// Answers how many hits the page has.
pub(super) async fn read(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let page = page(&request, rules(&context)?)?;
    Ok(digits(present(&context, page).await?))
}

/// Counts a hit of the page and answers a number as a badge. An error is a picture, too.
pub(super) async fn count_tag(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        // A badge that cannot be drawn must not count.
        let (look, shown) = tag(&request, &context)?;
        let hits = counted(&request, &context).await?;
        draw(&context, look, shown, hits).await
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// Answers a number as a badge. An error is a picture, too.
pub(super) async fn read_tag(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        let (look, shown) = tag(&request, &context)?;
        let page = page(&request, rules(&context)?)?;
        let hits = present(&context, page).await?;
        draw(&context, look, shown, hits).await
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// Counts the request if it is a hit.
async fn counted(request: &HttpRequest, context: &WorkerContext) -> Result<Hits, ApiError> {
    let counts = is_hit(request, rules(context)?);
    count_if(request, context, counts, "/count", |rules| page(request, rules)).await
}

/// Counts a hit of the page that `page` names; only reads how many there are unless the request `counts`. Browsers send the visitor's cookie
/// with requests below `cookie_path`.
pub(super) async fn count_if(
    request: &HttpRequest,
    context: &WorkerContext,
    counts: bool,
    cookie_path: &str,
    page: impl FnOnce(&HitRules) -> Result<PageAddress, ApiError>,
) -> Result<Hits, ApiError> {
    let rules = rules(context)?;
    if !counts {
        return present(context, page(rules)?).await;
    }
    check_write(request, context)?;
    let address = page(rules)?;
    check_writer(request, context, Space::Pages, address.as_str())?;
    let visitor = Visitor::of(request, rules, &Topic::page(&address));
    let once = visitor.as_ref().and_then(Visitor::once);
    let counted = hit(request, context, &address, once.as_ref()).await?;
    let new = visitor.filter(|_| !counted.replayed);
    let cookie = new.map(|visitor| visitor.cookie(request, cookie_path));
    Ok(Hits { page: address, value: counted.value, cookie })
}

async fn present(context: &WorkerContext, address: PageAddress) -> Result<Hits, ApiError> {
    let reading = context.live.read(Topic::page(&address)).await;
    Ok(Hits { value: reading.map_err(ApiError::unread)?.value(), page: address, cookie: None })
}

/// How the badge should look and which number it shows; 404 if no days are kept for the number. Parameters that say nothing about
/// that are ignored: they may belong to an address that is not encoded.
fn tag(request: &HttpRequest, context: &WorkerContext) -> Result<(BadgeLook, TagNumber), ApiError> {
    let parameters: Vec<&str> = BadgeLook::PARAMETERS.into_iter().chain(["of"]).collect();
    let mut known = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if parameters.contains(&&*name) {
            known.append_pair(&name, &value);
        }
    }
    let query = Query::of(&known.finish(), &parameters)?;
    let shown = query
        .one_of("of", &[("page", TagNumber::Page), ("site", TagNumber::Site), ("day", TagNumber::Day)])?;
    if let TagNumber::Day = shown {
        check_days(context)?;
    }
    Ok((BadgeLook::of(&query)?, shown))
}

/// Draws the badge of a page that has these hits.
async fn draw(
    context: &WorkerContext,
    look: BadgeLook,
    shown: TagNumber,
    hits: Hits,
) -> Result<HttpResponse, ApiError> {
    let number = match shown {
        TagNumber::Page => Some(hits.value),
        TagNumber::Site => {
            let reading = context.live.read(Topic::site(&hits.page)).await;
            Some(reading.map_err(ApiError::unread)?.value())
        }
        // What the history knows of today is late by an interval, so it would not show the hit that was just counted.
        TagNumber::Day => {
            today(context, &Topic::page(&hits.page)).await?.began_with.map(|start| hits.value - start)
        }
    };
    Ok(badge(look, number, hits))
}

fn digits(hits: Hits) -> HttpResponse {
    let body = hits.value.to_string();
    let mut response = answer(hits, HeaderValue::from_static("text/plain; charset=utf-8")).body(body);
    share(response.headers_mut());
    response
}

fn badge(look: BadgeLook, number: Option<i64>, hits: Hits) -> HttpResponse {
    let body = look.badge(number).svg();
    let mut response = answer(hits, SVG.clone()).body(body);
    restrict(response.headers_mut());
    response
}

fn answer(hits: Hits, media_type: HeaderValue) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    never_kept(&mut response);
    response.insert_header((CONTENT_TYPE, media_type));
    if let Some(cookie) = hits.cookie {
        response.insert_header((SET_COOKIE, cookie));
    }
    response
}
