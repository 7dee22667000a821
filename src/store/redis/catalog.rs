//! The catalog of the topics in Redis.

use std::sync::Arc;

use async_trait::async_trait;

use super::{RedisStore, addresses, counting, documents, entity_rows, history, names, ranking, topics};
use crate::domain::{Document, EntityKey, Past, Topic, Unit};
use crate::store::entity_query::FoundEntities;
use crate::store::{Body, Catalog, ENTITY_STEP, EntityQuery, History, Reading, StoreError, Values};

#[async_trait]
impl Catalog for RedisStore {
    async fn topic_count(&self) -> Result<u64, StoreError> {
        counting::count_waiting(&self.0).await;
        topics::count(&self.0).await.map_err(StoreError::new)
    }

    async fn entities(&self, query: &EntityQuery) -> Result<Vec<(EntityKey, Document)>, StoreError> {
        let (mut found, mut rest) = (FoundEntities::of(query), query.clone());
        loop {
            rest.limit = found.missing();
            let named = entity_rows::topics(&self.0, &rest).await.map_err(StoreError::new)?;
            let last = named.last().filter(|_| named.len() == rest.limit).map(|(_, key)| key.clone());
            for some in named.chunks(ENTITY_STEP) {
                found.add(self.documents(some, query).await?);
                if found.missing() == 0 {
                    break;
                }
            }
            match last.filter(|_| found.missing() > 0) {
                // Some of the entities were deleted before they were read.
                Some(last) => rest = rest.behind(&last),
                None => return Ok(found.into_vec()),
            }
        }
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&Topic>,
        limit: usize,
    ) -> Result<Vec<(Topic, Reading)>, StoreError> {
        let (mut after, mut listed) = (after.cloned(), Vec::new());
        loop {
            let missing = limit - listed.len();
            let found =
                names::after(&self.0, prefix, after.as_ref(), missing).await.map_err(StoreError::new)?;
            let (is_end, last) = (found.len() < missing, found.last().cloned());
            let readings = self.read(found.clone()).await;
            for (topic, reading) in found.into_iter().zip(readings) {
                // A name can be left of a topic that an older version has pruned. A topic can also be deleted between the two
                // calls.
                let reading = reading?;
                if reading.body != Body::Gone {
                    listed.push((topic, reading));
                }
            }
            if is_end || listed.len() >= limit {
                return Ok(listed);
            }
            after = last;
        }
    }

    async fn keep_address(&self, page: &Topic, address: &str) -> Result<(), StoreError> {
        addresses::keep(&self.0, page, address).await.map_err(StoreError::new)
    }

    async fn addresses(&self, pages: &[Topic]) -> Result<Vec<Option<String>>, StoreError> {
        addresses::read(&self.0, pages).await.map_err(StoreError::new)
    }

    async fn ends(&self, entities: &[Topic]) -> Result<Vec<Option<u64>>, StoreError> {
        documents::ends(&self.0, entities).await.map_err(StoreError::new)
    }

    async fn top(&self, prefix: &str, limit: usize) -> Result<Vec<(Topic, i64)>, StoreError> {
        ranking::top(&self.0, prefix, limit).await.map_err(StoreError::new)
    }

    async fn history(&self, topic: &Topic, unit: Unit, last: u16) -> Result<History, StoreError> {
        history::read(&self.0, topic, unit, last).await.map_err(StoreError::new)
    }
    async fn pasts(&self, topics: &[Topic]) -> Result<Vec<Past>, StoreError> {
        history::pasts(&self.0, topics).await.map_err(StoreError::new)
    }

    async fn restore_pasts(&self, pasts: &[(Topic, Past)], only_new: bool) -> Result<Vec<bool>, StoreError> {
        history::restore(&self.0, pasts, only_new).await.map_err(StoreError::new)
    }
}

impl RedisStore {
    /// Those of the entities that exist, with the fields that the caller needs.
    async fn documents(
        &self,
        named: &[(Topic, EntityKey)],
        query: &EntityQuery,
    ) -> Result<Vec<(EntityKey, Document)>, StoreError> {
        let topics = named.iter().map(|(topic, _)| topic.clone()).collect();
        let read = match &query.fields {
            Some(fields) => entity_rows::read(&self.0, topics, fields).await?,
            None => {
                let document = |reading: Reading| match reading.body {
                    Body::Document(document) => Some(Arc::unwrap_or_clone(document)),
                    _ => None,
                };
                let readings = self.read(topics).await.into_iter();
                readings.map(|reading| reading.map(document)).collect::<Result<_, _>>()?
            }
        };
        let keys = named.iter().map(|(_, key)| key.clone());
        Ok(keys.zip(read).filter_map(|(key, document)| Some((key, document?))).collect())
    }
}
