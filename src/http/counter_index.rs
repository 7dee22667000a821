//! `/counters/`: lists the counters with their values, in the order of their ids, in pages; or those with the greatest values.

use std::cmp::Reverse;

use actix_web::http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, HeaderValue, LINK};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::accept::negotiate;
use super::access_checks::require;
use super::caching::{begin, content_etag, private};
use super::context::WorkerContext;
use super::cors::EXPOSED_WITH_LINK;
use super::error::ApiError;
use super::media::Media;
use super::query::Query;
use crate::access::{Needed, Space, Verb};
use crate::domain::{CounterId, Topic};
use crate::store::StoreError;

/// How many counters a page has if the request gives no `limit`.
const USUAL: usize = 100;
/// The most counters of a page.
const MOST: usize = 1000;

/// Answers a page of the counters whose ids begin with `prefix` and come after `after`, at most `limit` of them, as JSON or as
/// lines of text; with `sort=-value`, the counters with the greatest values among those whose ids begin with `prefix`; 304 if the client has the page already. The key or the ticket must cover all ids with this prefix.
pub(super) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let wanted = Wanted::of(&request)?;
    require(&request, &context, &Needed::Beginning(Verb::Read, Space::Counters, &wanted.prefix))?;
    let media = negotiate(request.headers(), &[Media::Plain, Media::Json])?;
    let page = page(&context, &wanted).await.map_err(ApiError::unread)?;
    let body = if media == Media::Json { page.json() } else { page.lines() };
    let next = page.after.as_ref().map(|after| wanted.link(after));
    let etag = etag(&body, next.as_deref());
    let (mut response, is_known) = begin(&request, &etag);
    private(&mut response, etag);
    if let Some(next) = next {
        response.insert_header((LINK, next));
        response.insert_header((ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_WITH_LINK.clone()));
    }
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.insert_header((CONTENT_TYPE, media.content_type())).body(body))
}

/// The part of the list that a request asks for.
struct Wanted {
    prefix: String,
    after: Option<CounterId>,
    limit: usize,
    by_value: bool,
}

impl Wanted {
    /// The parameters; 400 if one of them is unknown, given twice, or out of its bounds.
    fn of(request: &HttpRequest) -> Result<Wanted, ApiError> {
        let query = Query::of(request.query_string(), &["prefix", "after", "limit", "sort"])?;
        let prefix = query.get("prefix").unwrap_or_default();
        CounterId::check_prefix(prefix).map_err(|error| {
            ApiError::BadRequest(format!("prefix must be the beginning of ids, as plain text: {error}"))
        })?;
        // Clients begin with an empty text, as the id behind which the first page begins.
        let after = query.get("after").filter(|text| !text.is_empty()).map(|text| {
            text.parse().map_err(|error| ApiError::BadRequest(format!("after must be an id: {error}")))
        });
        let by_value = match query.get("sort") {
            None => false,
            Some("-value") => true,
            Some(_) => {
                let detail = "sort must be -value, for the counters with the greatest values";
                return Err(ApiError::BadRequest(detail.to_owned()));
            }
        };
        if by_value && after.is_some() {
            let detail = "after has no meaning with sort=-value: there are no pages, only the first counters";
            return Err(ApiError::BadRequest(detail.to_owned()));
        }
        Ok(Wanted {
            by_value,
            prefix: prefix.to_owned(),
            after: after.transpose()?,
            limit: query.number("limit", 1..=MOST)?.unwrap_or(USUAL),
        })
    }

    /// The link to the page that begins after this id (RFC 8288). The link never repeats the key or the ticket of the request.
    fn link(&self, after: &CounterId) -> String {
        // The characters of ids have no special meaning in a query, so they need no escape.
        format!("</counters/?prefix={}&after={after}&limit={}>; rel=\"next\"", self.prefix, self.limit)
    }
}

/// One page of the list.
#[derive(Serialize)]
struct Page {
    counters: Vec<ListedCounter>,
    /// The last counter of the page, if more counters come after it.
    after: Option<CounterId>,
}

#[derive(Serialize)]
struct ListedCounter {
    id: CounterId,
    value: i64,
}

impl Page {
    fn json(&self) -> String {
        // Writing ids and numbers as JSON cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn lines(&self) -> String {
        self.counters.iter().map(|ListedCounter { id, value }| format!("{id} {value}\n")).collect()
    }
}

/// The counters whose ids begin with `prefix` and come after `after`, at most `limit` of them, with their values; and the last of them, if
/// more counters come after it.
pub(super) async fn counters(
    context: &WorkerContext,
    prefix: &str,
    after: Option<CounterId>,
    limit: usize,
) -> Result<(Vec<(CounterId, i64)>, Option<CounterId>), StoreError> {
    let wanted = Wanted { prefix: prefix.to_owned(), after, limit, by_value: false };
    let Page { counters, after } = page(context, &wanted).await?;
    Ok((counters.into_iter().map(|counter| (counter.id, counter.value)).collect(), after))
}

/// Reads a page. The function reads one counter more than the page may have, which tells whether more counters come after the
/// page.
async fn page(context: &WorkerContext, wanted: &Wanted) -> Result<Page, StoreError> {
    if wanted.by_value {
        return Ok(Page { counters: greatest_counters(context, wanted).await?, after: None });
    }
    let mut counters = match &context.shared.known {
        Some(_) => known_counters(context, wanted).await?,
        None => stored_counters(context, wanted).await?,
    };
    let more = counters.len() > wanted.limit;
    counters.truncate(wanted.limit);
    let after = counters.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Page { counters, after })
}

/// The counters of the page and one more, from the store, for a service on which every id is a counter.
async fn stored_counters(context: &WorkerContext, wanted: &Wanted) -> Result<Vec<ListedCounter>, StoreError> {
    let after = wanted.after.as_ref().map(Topic::counter);
    let prefix = Topic::counter_prefix(&wanted.prefix);
    let topics = context.live.list(&prefix, after.as_ref(), wanted.limit + 1).await?;
    let listed = topics.into_iter().filter_map(|(topic, reading)| {
        topic.counter_id().map(|id| ListedCounter { id, value: reading.value() })
    });
    Ok(listed.collect())
}

/// The counters with the greatest values, the greatest first; of equal values, the counter comes first whose id does.
async fn greatest_counters(
    context: &WorkerContext,
    wanted: &Wanted,
) -> Result<Vec<ListedCounter>, StoreError> {
    if context.shared.known.is_some() {
        let all =
            Wanted { after: None, limit: usize::MAX - 1, prefix: wanted.prefix.clone(), by_value: true };
        let mut counters = known_counters(context, &all).await?;
        counters.sort_by_key(|counter| Reverse(counter.value));
        counters.truncate(wanted.limit);
        return Ok(counters);
    }
    let prefix = Topic::counter_prefix(&wanted.prefix);
    let topics = context.shared.rankings.top(&context.live, &prefix, wanted.limit).await?;
    let listed = |(topic, value): (Topic, i64)| topic.counter_id().map(|id| ListedCounter { id, value });
    Ok(topics.into_iter().filter_map(listed).collect())
}

/// The counters of the page and one more, if `counters.known` is set: only counters that this setting names, also those that have
/// never changed.
async fn known_counters(context: &WorkerContext, wanted: &Wanted) -> Result<Vec<ListedCounter>, StoreError> {
    let listed = |id: &&CounterId| {
        id.as_str().starts_with(&wanted.prefix) && wanted.after.as_ref().is_none_or(|after| *id > after)
    };
    let mut ids: Vec<CounterId> = context.shared.known.iter().flatten().filter(listed).cloned().collect();
    ids.sort_unstable();
    ids.truncate(wanted.limit + 1);
    let topics: Vec<Topic> = ids.iter().map(Topic::counter).collect();
    let readings = context.live.read_all(&topics).await?;
    Ok(ids
        .into_iter()
        .zip(readings)
        .map(|(id, reading)| ListedCounter { id, value: reading.value() })
        .collect())
}

/// The validator of a page. The validator covers the link to the next page, because lines of text do not tell whether more
/// counters come after the page.
fn etag(body: &str, next: Option<&str>) -> HeaderValue {
    content_etag(&[body, next.unwrap_or_default()].concat())
}
