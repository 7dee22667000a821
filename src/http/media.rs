//! The representations of a counter and of its past.

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
}
