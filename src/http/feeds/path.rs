//! Which feeds the path of a request names.

use actix_web::HttpRequest;

use crate::domain::{Kind, Route, Topic};
use crate::http::error::ApiError;
use crate::http::streams::StreamSubject;

/// What a client listens to.
pub(in crate::http) enum Listened {
    /// One feed.
    Feed(Route),
    /// All feeds below a route; `None` for all feeds.
    Below(Option<Route>),
}

impl Listened {
    /// What the path names behind `/live/`: a route, or a route with `/*`, or `*`.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        Listened::parse(behind("/live/", request))
    }

    /// What those listen to that listen to this topic.
    pub(in crate::http) fn of_topic(topic: &Topic) -> Option<Self> {
        let text = topic.name().strip_prefix(Kind::Feed.prefix())?;
        Listened::parse(text).ok()
    }

    fn parse(text: &str) -> Result<Self, ApiError> {
        match text.strip_suffix('*') {
            Some("") => Ok(Listened::Below(None)),
            Some(prefix) if prefix.ends_with('/') => {
                parse(&prefix[..prefix.len() - 1]).map(|route| Listened::Below(Some(route)))
            }
            _ => parse(text).map(Listened::Feed),
        }
    }

    /// The topic to which the listeners listen.
    pub(super) fn topic(&self) -> Topic {
        match self {
            Listened::Feed(route) => Topic::feed(route),
            Listened::Below(route) => Topic::feeds_below(route.as_ref()),
        }
    }

    /// What a stream of this reads.
    pub(in crate::http) fn subject(&self) -> StreamSubject {
        match self {
            Listened::Feed(route) => StreamSubject::Route(route.clone()),
            Listened::Below(Some(route)) => StreamSubject::Below(format!("{route}/")),
            Listened::Below(None) => StreamSubject::Below(String::new()),
        }
    }
}

/// The route that the path names behind `/feed/`.
pub(super) fn feed(request: &HttpRequest) -> Result<Route, ApiError> {
    parse(behind("/feed/", request))
}

/// The part of the path behind `prefix`, without the last slash.
fn behind<'a>(prefix: &str, request: &'a HttpRequest) -> &'a str {
    let rest = request.match_info().as_str().strip_prefix(prefix).unwrap_or_default();
    rest.strip_suffix('/').unwrap_or(rest)
}

fn parse(text: &str) -> Result<Route, ApiError> {
    text.parse().map_err(|error: crate::domain::ParseRouteError| ApiError::BadRequest(error.to_string()))
}
