//! `/feed/{route}`: the events that a feed keeps, with the position at which a stream goes on.

use std::fmt::Write;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;

use super::opening::{count, event_id};
use super::path;
use crate::domain::{EventId, FeedEvent, Topic};
use crate::http::accept::negotiate;
use crate::http::caching;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::media::{JSON, Media};
use crate::http::query::Query;
use crate::http::route_access::admit_reader;
use crate::store::FeedPage;

/// How many events a page has unless the request says otherwise.
const PAGE: usize = 100;

/// Answers the last events, or the last ones before an event, the oldest first.
pub(in crate::http) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let route = path::feed(&request)?;
    admit_reader(&request, &context, &route)?;
    let query = Query::of(request.query_string(), &["before", "limit"])?;
    let most = context.shared.history.feeds.events;
    let limit = query.get("limit").map_or(Ok(PAGE.min(most as usize)), |text| count("limit", text, most))?;
    let feed = Topic::feed(&route);
    let before = query.get("before").map(|text| {
        let id = event_id(text, &feed).map(|id| id.revision);
        id.ok_or_else(|| ApiError::BadRequest("before is the drop_id of an event of this feed".into()))
    });
    negotiate(request.headers(), &[Media::Json])?;
    // One event more tells whether there is a page before this one.
    let read = context.live.feed_page(&feed, before.transpose()?, limit + 1).await;
    let mut page = read.map_err(ApiError::unread)?;
    let has_more = page.events.len() > limit;
    if has_more {
        page.events.remove(0);
    }
    let first = page.events.first().filter(|_| has_more);
    let body = json(route.as_str(), &page, first.map(|first| first.id));
    let mut response = HttpResponse::Ok();
    caching::secret(&mut response);
    Ok(response.insert_header((CONTENT_TYPE, JSON.clone())).body(body))
}

/// A page as JSON. Routes and ids have no character that JSON escapes, and the data of events are JSON. `position` is the `last_event_id` of a stream that has
/// exactly what comes behind the last page, and `before` leads to the page before this one.
fn json(route: &str, page: &FeedPage, before: Option<EventId>) -> String {
    let mut json = format!("{{\"route\":\"{route}\",\"events\":[");
    for (index, event) in page.events.iter().enumerate() {
        let FeedEvent { id, at, data } = event;
        let between = if index == 0 { "" } else { "," };
        let millis = i64::try_from(*at).unwrap_or(i64::MAX);
        let at = Timestamp::from_millisecond(millis).map(|at| format!("{at:.3}")).unwrap_or_default();
        let payload = data.as_str();
        // Writing to a String cannot fail.
        let _ =
            write!(json, "{between}{{\"drop_id\":\"{id}\",\"created_at\":\"{at}\",\"payload\":{payload}}}");
    }
    let before = before.map_or("null".to_owned(), |before| format!("\"{before}\""));
    let _ = write!(json, "],\"position\":\"{}\",\"before\":{before}}}", page.published);
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Epoch, JsonText};

    #[test]
    fn a_page_is_these_bytes() {
        let id = |revision| EventId { epoch: Epoch::new(31), revision };
        let data = JsonText::parse(br#"{"a":"\u00e9"}"#).expect("JSON");
        let event = |revision| FeedEvent { id: id(revision), at: 1_770_681_600_125, data: data.clone() };
        let page = FeedPage { published: id(8), events: vec![event(7), event(8)] };
        let expected = format!(
            "{}{}{}",
            r#"{"route":"app/chat","events":[{"drop_id":"1f-7","created_at":"2026-02-10T00:00:00.125Z","payload":"#,
            data.as_str(),
            r#"},{"drop_id":"1f-8","created_at":"2026-02-10T00:00:00.125Z","payload":"#,
        ) + data.as_str()
            + r#"}],"position":"1f-8","before":"1f-7"}"#;
        assert_eq!(json("app/chat", &page, Some(id(7))), expected);
        let empty = FeedPage { published: EventId::default(), events: Vec::new() };
        assert_eq!(json("a", &empty, None), r#"{"route":"a","events":[],"position":"0-0","before":null}"#);
    }
}
