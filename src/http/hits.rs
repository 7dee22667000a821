//! `/count`: counts a hit of a page and answers the number in bare digits, as pages expect that were written for the hit-counter with
//! this route, or as a stream.

use actix_web::http::header::{CONTENT_TYPE, HeaderValue, SET_COOKIE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use super::accept::form_of_number;
use super::access_checks::check_writer;
use super::caching::{NamedBy, never_kept};
use super::context::WorkerContext;
use super::error::ApiError;
use super::hit_request::{is_hit, page, rules};
use super::idempotency::idempotency_key;
use super::limit_checks::{check_write, hit};
use super::media::{Media, PLAIN};
use super::pictures::share;
use super::streams::{Holder, LAST_EVENT_ID};
use super::topic_list::TopicList;
use super::visitor::Recognition;
use crate::access::Space;
use crate::domain::{IdempotencyKey, PageAddress, Topic};
use crate::hits::HitRules;
use crate::store::{HitKey, KEY_LIFETIME, KeySource};

/// A page, how many hits it has, and the cookie for a visitor who was just counted.
pub(super) struct Hits {
    pub(super) page: PageAddress,
    pub(super) value: i64,
    pub(super) cookie: Option<String>,
}

/// Counts a hit and answers how many hits the page has: in digits, or as a stream that begins with this number.
pub(super) async fn count(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let is_stream = form_of_number(request.headers()) == Media::Stream;
    // A stream that is refused counts nothing, as its client asks again.
    let holder = is_stream.then(|| Holder::of(&request, &context)).transpose()?;
    // The hit is counted before the stream is opened, so that the stream begins with it and a proxy misses no event.
    let hits = counted(&request, &context).await?;
    match holder {
        Some(holder) => stream(&request, &context, holder, hits).await,
        None => Ok(digits(hits)),
    }
}

/// Counts the request if it is a hit. A client that comes back to its stream, and so names the event that it has seen, is on the
/// same visit.
pub(super) async fn counted(request: &HttpRequest, context: &WorkerContext) -> Result<Hits, ApiError> {
    let counts = is_hit(request, rules(context)?) && !request.headers().contains_key(&LAST_EVENT_ID);
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
    let key = idempotency_key(request)?;
    let Recognition { visitor, visit } = Recognition::of(request, context, rules, &address).await;
    // A client with a key repeats it, so it needs no cookie.
    let visitor = visitor.filter(|visitor| key.is_none() || visitor.is_recognised());
    let key = match &visitor {
        Some(visitor) => Some(visitor.key.clone()),
        None => key.and_then(|key| key_on(&address, &key)),
    };
    let counted = hit(request, context, &address, key, visit).await?;
    let new = visitor.filter(|_| !counted.replayed);
    let cookie = new.map(|visitor| visitor.cookie(request, cookie_path));
    Ok(Hits { page: address, value: counted.value, cookie })
}

/// What counts a hit of the page once for the key of its client. Some stores keep the key with the site, too, so the page is a part of it.
fn key_on(page: &PageAddress, key: &IdempotencyKey) -> Option<HitKey> {
    let text = format!("{} {}", Topic::page(page).name(), key.as_str());
    let digest = digest(&SHA256, text.as_bytes());
    let key: IdempotencyKey = URL_SAFE_NO_PAD.encode(digest.as_ref().get(..16)?).parse().ok()?;
    Some(HitKey { key, lifetime: KEY_LIFETIME, source: KeySource::Client })
}

async fn present(context: &WorkerContext, address: PageAddress) -> Result<Hits, ApiError> {
    let reading = context.live.read(Topic::page(&address)).await;
    Ok(Hits { value: reading.map_err(ApiError::unread)?.value(), page: address, cookie: None })
}

/// Opens a stream of the page's number, with the cookie for a visitor who was just counted.
async fn stream(
    request: &HttpRequest,
    context: &WorkerContext,
    holder: Holder<'_>,
    hits: Hits,
) -> Result<HttpResponse, ApiError> {
    let page = TopicList::of_page(&hits.page)?;
    let mut response = page.stream(request, context, holder, NamedBy::Referer).await?;
    if let Some(cookie) = hits.cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn digits(hits: Hits) -> HttpResponse {
    let body = hits.value.to_string();
    let mut response = answer(hits.cookie, PLAIN.clone()).body(body);
    share(response.headers_mut());
    response
}

/// The head of an answer that no cache may keep, with the cookie for a visitor who was just counted.
pub(super) fn answer(cookie: Option<String>, media_type: HeaderValue) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    never_kept(&mut response);
    response.insert_header((CONTENT_TYPE, media_type));
    if let Some(cookie) = cookie {
        response.insert_header((SET_COOKIE, cookie));
    }
    response
}
