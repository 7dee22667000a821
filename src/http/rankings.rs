//! The counters with the greatest values, kept for a while, since a store reads all values for a ranking.

use std::collections::HashMap;

use tokio::sync::Mutex;

use super::kept::Kept;
use crate::domain::Topic;
use crate::live::Live;
use crate::store::StoreError;

/// How many answers are kept, each for another prefix.
const MOST: usize = 16;

/// The rankings that one process keeps. One ranking at a time is read.
#[derive(Default)]
pub struct Rankings(Mutex<HashMap<String, Kept<Ranking>>>);

struct Ranking {
    topics: Vec<(Topic, i64)>,
    limit: usize,
}

impl Rankings {
    /// The first `limit` topics of the ranking of the topics whose names begin with `prefix`.
    pub(super) async fn top(
        &self,
        live: &Live,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<(Topic, i64)>, StoreError> {
        let mut kept = self.0.lock().await;
        let is_enough = |ranking: &&Kept<Ranking>| ranking.answer.limit >= limit && ranking.is_fresh();
        if let Some(ranking) = kept.get(prefix).filter(is_enough) {
            return Ok(ranking.answer.topics.iter().take(limit).cloned().collect());
        }
        let read = async { Ok(Ranking { topics: live.top(prefix, limit).await?, limit }) };
        let ranking = Kept::read(read).await?;
        let topics = ranking.answer.topics.clone();
        if kept.len() >= MOST {
            kept.retain(|_, ranking| ranking.is_fresh());
        }
        if kept.len() < MOST || kept.contains_key(prefix) {
            kept.insert(prefix.to_owned(), ranking);
        }
        Ok(topics)
    }
}
