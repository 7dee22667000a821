//! Why a purge fails.

use std::time::Duration;

/// Why not every key is purged. Purging them all again is always safe.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// A key that cannot be in the header: empty, with a space or beyond visible ASCII, or longer than Fastly's 1,024
    /// bytes. Nothing has been purged.
    #[error("surrogate key {0:?} is empty, too long, or has a character other than visible ASCII")]
    Key(String),
    /// Fastly has asked to be left alone for a while; nothing was sent.
    #[error("{url} has asked to wait")]
    Paused {
        /// What would have been asked.
        url: String,
        /// For how much longer.
        left: Duration,
    },
    /// No answer.
    #[error("no answer from {url}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// Another answer than 200.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked.
        url: String,
        /// What was answered.
        status: u16,
        /// How long the answer asks to wait.
        retry_after: Option<Duration>,
        /// How its body begins: what Fastly finds wrong.
        body: String,
    },
}

impl PurgeError {
    /// How the answer's body begins, in one line and without the key; empty where there was none.
    pub fn body(&self) -> &str {
        match self {
            PurgeError::Status { body, .. } => body,
            _ => "",
        }
    }
}
