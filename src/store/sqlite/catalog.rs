//! The catalog of the topics in the file.

use async_trait::async_trait;

use super::reading::{Listed, Ranking, ReadRequest};
use super::topic::TopicState;
use super::writer::WriteCommand;
use super::{SqliteStore, history};
use crate::domain::{Document, EntityKey, Past, Topic, Unit};
use crate::store::entity_query::FoundEntities;
use crate::store::history::{all as all_until, last as last_until};
use crate::store::{Catalog, ENTITY_STEP, EntityQuery, History, StoreError};

#[async_trait]
impl Catalog for SqliteStore {
    async fn topic_count(&self) -> Result<u64, StoreError> {
        Ok(self.committed.topic_count())
    }

    async fn list(&self, prefix: &str, after: Option<&Topic>, limit: usize) -> Listed {
        let after = after.map(Topic::name).unwrap_or_default().to_owned();
        let prefix = prefix.to_owned();
        self.ask(|answer| ReadRequest::List { prefix, after, limit, answer }).await?
    }

    async fn entities(&self, query: &EntityQuery) -> Result<Vec<(EntityKey, Document)>, StoreError> {
        let (mut found, mut rest) = (FoundEntities::of(query), query.clone());
        // The thread that reads answers others between two steps.
        loop {
            rest.limit = found.missing().min(ENTITY_STEP);
            let step = self.ask(|answer| ReadRequest::Entities(rest.clone(), answer)).await??;
            found.add(step.entities);
            match step.last.filter(|_| found.missing() > 0) {
                Some(last) => rest = rest.behind(&last),
                None => return Ok(found.into_vec()),
            }
        }
    }

    async fn keep_address(&self, page: &Topic, address: &str) -> Result<(), StoreError> {
        self.order(|answer| WriteCommand::KeepAddress(page.clone(), address.to_owned(), answer)).await?
    }

    async fn addresses(&self, pages: &[Topic]) -> Result<Vec<Option<String>>, StoreError> {
        self.ask(|answer| ReadRequest::Addresses(pages.to_vec(), answer)).await?
    }

    async fn ends(&self, entities: &[Topic]) -> Result<Vec<Option<u64>>, StoreError> {
        self.ask(|answer| ReadRequest::Ends(entities.to_vec(), answer)).await?
    }

    async fn top(&self, prefix: &str, limit: usize) -> Ranking {
        self.ask(|answer| ReadRequest::Top(prefix.to_owned(), limit, answer)).await?
    }

    async fn history(&self, topic: &Topic, unit: Unit, last: u16) -> Result<History, StoreError> {
        // The state in memory is taken before the file is read. If the writer saves it in between, the file has it.
        let recalled = self.committed.recall(topic);
        let (saved, points) = self.ask(|answer| ReadRequest::History(topic.clone(), unit, answer)).await??;
        let state = recalled.or(saved);
        let points = history::all_points(points, state.as_ref(), unit, self.committed.retention());
        let now = self.committed.now();
        Ok(History { now, points: last_until(points, unit.number(now), last) })
    }

    async fn pasts(&self, topics: &[Topic]) -> Result<Vec<Past>, StoreError> {
        // As above, the states in memory are taken first.
        let recalled: Vec<_> = topics.iter().map(|topic| self.committed.recall(topic)).collect();
        let saved = self.ask(|answer| ReadRequest::Pasts(topics.to_vec(), answer)).await??;
        let (now, retention) = (self.committed.now(), self.committed.retention());
        let past = |(recalled, (state, past)): (Option<TopicState>, (Option<TopicState>, Past))| {
            let state = recalled.or(state);
            let points = |saved, unit| {
                let points = history::all_points(saved, state.as_ref(), unit, retention);
                all_until(points, unit.number(now))
            };
            Past { hours: points(past.hours, Unit::Hour), days: points(past.days, Unit::Day) }
        };
        Ok(recalled.into_iter().zip(saved).map(past).collect())
    }

    async fn restore_pasts(&self, pasts: &[(Topic, Past)], only_new: bool) -> Result<Vec<bool>, StoreError> {
        self.order(|answer| WriteCommand::RestorePasts(pasts.to_vec(), only_new, answer)).await?
    }
}
