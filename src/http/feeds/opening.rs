//! `/live/{route}`: listen to the events of a feed, or of all feeds below a route.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::path::Listened;
use crate::domain::{EventId, Topic};
use crate::http::accept::negotiate;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::media::Media;
use crate::http::query::Query;
use crate::http::route_access::admit;
use crate::http::streams::{Beginning, LAST_EVENT_ID, StreamGuard, open_below, open_feed};

/// Opens a stream of events.
pub(in crate::http) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let listened = Listened::of(&request)?;
    let subject = listened.subject();
    let grant = admit(&request, &context, &subject.needed())?;
    let query = Query::of(request.query_string(), &["last", "last_event_id"])?;
    negotiate(request.headers(), &[Media::Stream])?;
    let topic = listened.topic();
    let guard = StreamGuard::new(&context, subject, grant);
    match listened {
        Listened::Feed(_) => {
            let beginning = beginning(&request, &query, &topic, context.shared.history.feeds.events)?;
            open_feed(&request, context, topic, beginning, guard).await
        }
        Listened::Below(_) => {
            if query.get("last").is_some() {
                let problem = "a stream of all feeds below a route has no past: last is for one feed";
                return Err(ApiError::BadRequest(problem.into()));
            }
            let has_seen =
                request.headers().contains_key(&LAST_EVENT_ID) || query.get("last_event_id").is_some();
            open_below(&request, context, topic, has_seen, guard).await
        }
    }
}

/// Where the stream begins. The header comes from a client that has lost its connection, so it counts more than the query, which stays the same.
fn beginning(request: &HttpRequest, query: &Query, feed: &Topic, most: u32) -> Result<Beginning, ApiError> {
    if let Some(header) = request.headers().get(&LAST_EVENT_ID).filter(|header| !header.is_empty()) {
        let seen = header.to_str().ok().and_then(|text| event_id(text, feed));
        return Ok(Beginning::After(seen));
    }
    match (query.get("last_event_id"), query.get("last")) {
        (Some(text), _) => event_id(text, feed).map(|seen| Beginning::After(Some(seen))).ok_or_else(|| {
            ApiError::BadRequest(format!(
                "last_event_id must be the id of an event of this stream or a drop_id or position of /feed, as in {}",
                feed.stream_id(EventId::default())
            ))
        }),
        (None, Some(text)) => count("last", text, most).map(Beginning::Last),
        (None, None) => Ok(Beginning::Next),
    }
}

/// The id of an event of this feed, as its stream writes it or without the feed's name.
pub(super) fn event_id(text: &str, feed: &Topic) -> Option<EventId> {
    let id = match text.rsplit_once('@') {
        Some((name, id)) if name == feed.name() => id,
        Some(_) => return None,
        None => text,
    };
    id.parse().ok()
}

/// A number of events.
pub(super) fn count(name: &str, text: &str, most: u32) -> Result<usize, ApiError> {
    let number = text.parse::<u32>().ok().filter(|number| *number <= most && number.to_string() == text);
    number.map(|number| number as usize).ok_or_else(|| {
        ApiError::BadRequest(format!(
            "{name} must be a whole number from 0 to {most}, which is how many events a feed keeps"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_this_feed_or_of_none() {
        let feed: Topic = "feed-app/chat".parse().expect("a topic");
        let id: EventId = "9-7".parse().expect("an id");
        for text in ["feed-app/chat@9-7", "9-7"] {
            assert_eq!(event_id(text, &feed), Some(id), "{text}");
        }
        for text in
            ["", "feed-app@9-7", "feed-app/chat@", "feed-app/chat@9-07", "@9-7", "9", "1e9", "\u{fffd}"]
        {
            assert_eq!(event_id(text, &feed), None, "{text}");
        }
    }

    #[test]
    fn a_count_is_bounded_and_has_one_spelling() {
        assert_eq!(count("last", "1000", 1000).ok(), Some(1000));
        assert_eq!(count("last", "0", 1000).ok(), Some(0));
        for text in ["1001", "1e9", "1000000000", "99999999999999999999", "-1", "+1", "01", "", " 1"] {
            assert!(count("last", text, 1000).is_err(), "{text}");
        }
    }
}
