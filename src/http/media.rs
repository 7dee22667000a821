//! The representations of a counter.

/// A media type in which a counter is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `text/plain`, sent if the client prefers none.
    Plain,
    /// `application/json`
    Json,
    /// `text/event-stream`
    Stream,
}

impl Media {
    /// The type and the subtype.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Media::Plain => ("text", "plain"),
            Media::Json => ("application", "json"),
            Media::Stream => ("text", "event-stream"),
        }
    }
}
