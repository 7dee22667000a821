//! Lists the entities of a route.

use actix_web::http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, LINK};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::accept::negotiate;
use super::caching;
use super::context::WorkerContext;
use super::cors::EXPOSED_WITH_LINK;
use super::error::ApiError;
use super::media::Media;
use super::query::Query;
use super::route_access::admit_reader;
use crate::domain::{EntityKey, ParseEntityKeyError, Route};
use crate::live::EntityPage;

/// How many keys a page has if the request gives no `limit`.
const USUAL: usize = 100;
/// The most keys of a page.
const MOST: usize = 1000;

/// Answers a page of the keys of a route that begin with `prefix` and come after `after`, at most `limit` of them, as JSON or as lines of text.
pub(super) async fn get(
    request: &HttpRequest,
    context: &WorkerContext,
    route: &Route,
) -> Result<HttpResponse, ApiError> {
    admit_reader(request, context, route)?;
    let wanted = WantedKeys::of(request)?;
    let media = negotiate(request.headers(), &[Media::Json, Media::Plain])?;
    let page = context.live.entities(route, &wanted.prefix, wanted.after.as_deref(), wanted.limit).await;
    let page = page.map_err(ApiError::unread)?;
    let mut response = HttpResponse::Ok();
    caching::secret(&mut response);
    if let Some(after) = &page.after {
        // The characters of routes and keys have no special meaning in an address, so they need no escape.
        let WantedKeys { prefix, limit, .. } = &wanted;
        let link = format!("</entity/{route}/?prefix={prefix}&after={after}&limit={limit}>; rel=\"next\"");
        response.insert_header((LINK, link));
        response.insert_header((ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_WITH_LINK.clone()));
    }
    let body = if media == Media::Json { json(route, &page) } else { lines(&page) };
    Ok(response.insert_header((CONTENT_TYPE, media.content_type())).body(body))
}

/// The part of the list that a request asks for.
struct WantedKeys {
    prefix: String,
    after: Option<String>,
    limit: usize,
}

impl WantedKeys {
    /// The parameters; 400 if one of them is unknown, given twice, or out of its bounds.
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let query = Query::of(request.query_string(), &["prefix", "after", "limit"])?;
        let begin = |name: &str| match query.get(name).map(|text| (text, text.parse::<EntityKey>())) {
            // `.` and `..` are no keys, but keys can begin with them.
            Some((text, Ok(_) | Err(ParseEntityKeyError::Empty | ParseEntityKeyError::DotSegment))) => {
                Ok(Some(text.to_owned()))
            }
            Some((_, Err(error))) => Err(ApiError::BadRequest(format!(
                "{name} must be the beginning of keys, as plain text: {error}"
            ))),
            None => Ok(None),
        };
        Ok(WantedKeys {
            prefix: begin("prefix")?.unwrap_or_default(),
            after: begin("after")?,
            limit: query.number("limit", 1..=MOST)?.unwrap_or(USUAL),
        })
    }
}

#[derive(Serialize)]
struct KeysPage<'a> {
    #[serde(rename = "type")]
    route: &'a str,
    keys: Vec<ListedKey<'a>>,
    /// Where the next page begins, if there may be more keys.
    after: Option<&'a str>,
}

#[derive(Serialize)]
struct ListedKey<'a> {
    key: &'a str,
    rev: u64,
}

fn json(route: &Route, page: &EntityPage) -> String {
    let keys = page.entities.iter();
    let keys = keys.map(|(key, reading)| ListedKey { key: key.as_str(), rev: reading.id.revision }).collect();
    let page = KeysPage { route: route.as_str(), keys, after: page.after.as_deref() };
    // Writing texts and numbers as JSON cannot fail.
    serde_json::to_string(&page).unwrap_or_default()
}

fn lines(page: &EntityPage) -> String {
    page.entities.iter().map(|(key, _)| format!("{key}\n")).collect()
}
