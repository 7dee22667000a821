//! `/nocount/top`: the pages or the sites with the most hits.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::accept::negotiate;
use super::caching::{begin, content_etag, unpurged};
use super::context::WorkerContext;
use super::error::ApiError;
use super::hit_request::rules;
use super::media::Media;
use super::query::Query;
use super::top_hits::{Top, TopEntry};
use crate::history::Subject;

/// An entry of a list as JSON: a page or a site, its topic, and how many hits it has.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    subject: Subject<'a>,
    topic: &'a str,
    value: i64,
}

/// Answers the first `limit` pages or sites of the list, as JSON or as lines of text; 304 if the client has the answer already.
pub(super) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let rules = rules(&context)?;
    let query = Query::of(request.query_string(), &["of", "limit"])?;
    let of = query.one_of("of", &[("pages", Top::Pages), ("sites", Top::Sites)])?;
    let most = of.most(rules);
    if most == 0 {
        let key = if of == Top::Pages { "hits.top_pages" } else { "hits.top_sites" };
        return Err(ApiError::NotFound(format!("there is no such list here: {key} is 0")));
    }
    let limit = query.number("limit", 1..=most)?.unwrap_or(most);
    let media = negotiate(request.headers(), &[Media::Json, Media::Plain])?;
    let list = context.shared.top_hits.top(&context.live, rules, of).await.map_err(ApiError::unread)?;
    let entries = &list[..limit.min(list.len())];
    let body = if media == Media::Json { json(of, entries) } else { lines(entries) };
    let etag = content_etag(&body);
    let (mut response, is_known) = begin(&request, &etag);
    unpurged(&mut response, etag);
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.insert_header((CONTENT_TYPE, media.content_type())).body(body))
}

fn json(of: Top, list: &[TopEntry]) -> String {
    let subject = match of {
        Top::Pages => Subject::Page,
        Top::Sites => Subject::Site,
    };
    let mut entries = Vec::new();
    for TopEntry { address, topic, value } in list {
        entries.push(Entry { subject: subject(address), topic: topic.name(), value: *value });
    }
    // Writing texts and numbers as JSON cannot fail.
    serde_json::to_string(&entries).unwrap_or_default()
}

fn lines(entries: &[TopEntry]) -> String {
    entries.iter().map(|TopEntry { address, value, .. }| format!("{address} {value}\n")).collect()
}
