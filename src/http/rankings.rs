//! The counters with the greatest values, kept for a while, since a store reads all values for a ranking.

use std::sync::Arc;

use super::kept::KeptAnswers;
use crate::domain::Topic;
use crate::live::Live;
use crate::store::StoreError;

/// How many rankings are kept, each for another prefix.
const MOST: usize = 16;

/// The rankings that one process keeps. One ranking at a time is read.
#[derive(Default)]
pub struct Rankings(KeptAnswers<String, Arc<Ranking>, MOST>);

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
        let read = async { Ok(Arc::new(Ranking { topics: live.top(prefix, limit).await?, limit })) };
        let is_enough = |ranking: &Arc<Ranking>| ranking.limit >= limit;
        let ranking = self.0.sufficient(prefix.to_owned(), is_enough, read).await?;
        Ok(ranking.topics.iter().take(limit).cloned().collect())
    }
}
