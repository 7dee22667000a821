//! Why a purge fails.

use std::time::Duration;

/// Why not every key is purged. Callers may always purge all keys again.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// A key cannot be in the header: the key is empty, longer than Fastly's 1,024 bytes, or has a space or another character
    /// beyond visible ASCII. Nothing has been purged.
    #[error("surrogate key {0:?} is empty, too long, or has a character other than visible ASCII")]
    Key(String),
    /// Fastly has asked to wait before the next request. No request was sent.
    #[error("{url} has asked to wait")]
    Paused {
        /// The URL of the request that was not sent.
        url: String,
        /// How long the pause still lasts.
        left: Duration,
    },
    /// The API did not answer.
    #[error("no answer from {url}")]
    Unreachable {
        /// The URL of the request.
        url: String,
        /// The error of the HTTP client.
        source: reqwest::Error,
    },
    /// The API gave another answer than 200.
    #[error("{url} answered {status}")]
    Status {
        /// The URL of the request.
        url: String,
        /// The status of the answer.
        status: u16,
        /// How long the answer asks to wait.
        retry_after: Option<Duration>,
        /// The beginning of the answer's body, in which Fastly gives its reason.
        body: String,
    },
}

impl PurgeError {
    /// The beginning of the answer's body, in one line and without the key; empty if there was no body.
    pub fn body(&self) -> &str {
        match self {
            PurgeError::Status { body, .. } => body,
            _ => "",
        }
    }
}
