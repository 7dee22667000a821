//! Why a store does not answer.

use std::error::Error;
use std::sync::Arc;

/// The store cannot be reached, or does not answer as it should. Cheap to clone: one failure answers a whole batch.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the store is unavailable: {0}")]
pub struct StoreError(#[source] Arc<dyn Error + Send + Sync>);

impl StoreError {
    /// Wraps an error of the store's client. It goes to logs, never to clients.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        StoreError(Arc::from(source.into()))
    }

    /// The text of the error of the store's client.
    pub fn reason(&self) -> String {
        self.0.to_string()
    }
}
