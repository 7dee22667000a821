//! Why a publisher cannot be made, and why items are not accepted.

use std::fmt;

/// The client for an endpoint cannot be made, for instance on a machine without certificates.
#[derive(Debug, thiserror::Error)]
#[error("cannot publish to {endpoint}")]
pub struct PublisherError {
    /// The endpoint's name.
    pub endpoint: String,
    /// The error of the HTTP client.
    pub source: reqwest::Error,
}

/// The error of a publish if not every endpoint has accepted every item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishError {
    /// The item by its index in the call, the endpoint by its name, and the reason.
    pub refusals: Vec<(usize, String, Refusal)>,
}

/// Why an endpoint has not accepted an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The endpoint has not accepted the item in time. The item may still be delivered.
    #[error("not in time")]
    TimedOut,
    /// The endpoint has answered a request with this item alone with this status, so it will never accept the item.
    #[error("answered {0}")]
    Status(u16),
    /// Too many newer items were waiting for the endpoint.
    #[error("too many are waiting")]
    Overflow,
    /// The publisher was dropped.
    #[error("publishing has ended")]
    Stopped,
}

impl PublishError {
    /// The items, by their index in the call and in order, that not every endpoint has accepted.
    pub fn unaccepted(&self) -> Vec<usize> {
        let mut indexes: Vec<usize> = self.refusals.iter().map(|(index, ..)| *index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} items are not accepted by every endpoint", self.unaccepted().len())?;
        match self.refusals.first() {
            Some((_, endpoint, refusal)) => write!(f, ", the first by {endpoint}: {refusal}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PublishError {}
