//! The representations of a counter and of its past.

use actix_web::http::header::HeaderValue;

use crate::sse;

/// The media type of bare text.
pub(super) static PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// The media type of JSON.
pub(super) static JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The media type of tables, whose first line names the columns.
pub(super) static CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
/// The media type of pages.
pub(super) static HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
static STREAM: HeaderValue = HeaderValue::from_static(sse::CONTENT_TYPE);

/// A media type in which a counter or its past is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `text/plain`, sent if the client prefers no other media type.
    Plain,
    /// `application/json`
    Json,
    /// `text/csv`
    Csv,
    /// `text/event-stream`
    Stream,
}

impl Media {
    /// The type and the subtype.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Media::Plain => ("text", "plain"),
            Media::Json => ("application", "json"),
            Media::Csv => ("text", "csv"),
            Media::Stream => ("text", "event-stream"),
        }
    }

    /// The value of `Content-Type`.
    pub(super) fn content_type(self) -> HeaderValue {
        match self {
            Media::Plain => PLAIN.clone(),
            Media::Json => JSON.clone(),
            Media::Csv => CSV.clone(),
            Media::Stream => STREAM.clone(),
        }
    }
}
