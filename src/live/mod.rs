//! The use cases: read a topic, add to it. No HTTP, no Redis; which kind of topic it is does not matter here.

mod combiner;

use std::sync::Arc;

use crate::announcer::Announcer;
use crate::domain::{Amount, IdempotencyKey, Topic};
use crate::store::{AddError, Reading, Store, StoreError};
use combiner::Combiner;

/// The use cases on one store. One per worker: what the requests of a worker ask for while a round trip to the store
/// is under way goes out together with the next one.
pub struct Live {
    combiner: Arc<Combiner>,
    store: Arc<dyn Store>,
}

impl Live {
    /// Works on `store` and tells `announcer` of every change. Cheap; must be used within a tokio runtime.
    pub fn new(store: Arc<dyn Store>, announcer: Announcer) -> Self {
        Live { combiner: Arc::new(Combiner::new(Arc::clone(&store), announcer)), store }
    }

    /// The present state of the topic; it reflects every change acknowledged before the call.
    pub async fn read(&self, topic: Topic) -> Result<Reading, StoreError> {
        self.combiner.read(topic).await
    }

    /// Adds to the topic and returns its value behind this change. What follows, announcing it, cannot fail the call.
    ///
    /// With a key, a repetition with the same amount returns the first answer and changes nothing.
    pub async fn add(
        &self,
        topic: Topic,
        amount: Amount,
        key: Option<IdempotencyKey>,
    ) -> Result<i64, AddError> {
        self.combiner.add(topic, amount, key).await
    }

    /// How many topics are marked in the outbox: changed, and not yet acknowledged as announced.
    pub async fn outbox_len(&self) -> Result<u64, StoreError> {
        self.store.outbox_len().await
    }

    /// Whether the store answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}
