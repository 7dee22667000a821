//! Why a store does not answer.

use std::error::Error;
use std::sync::Arc;

/// The store cannot be reached, or does not answer as it should. Cheap to clone: one failure answers a whole batch.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the store is unavailable: {source}")]
pub struct StoreError {
    source: Arc<dyn Error + Send + Sync>,
    is_refusal: bool,
}

impl StoreError {
    /// Wraps an error of the store's client. It goes to logs, never to clients.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        StoreError { source: Arc::from(source.into()), is_refusal: false }
    }

    /// The same, where the store certainly has changed nothing.
    pub fn refusal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        StoreError::new(source).into_refusal()
    }

    /// The same error, where the caller knows that the store has changed nothing.
    #[must_use]
    pub fn into_refusal(self) -> Self {
        StoreError { is_refusal: true, ..self }
    }

    /// Whether the store certainly has changed nothing. After any other error it may have.
    pub fn is_refusal(&self) -> bool {
        self.is_refusal
    }

    /// The text of the error of the store's client.
    pub fn reason(&self) -> String {
        self.source.to_string()
    }
}
