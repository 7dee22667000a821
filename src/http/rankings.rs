//! The counters with the greatest values, kept for a while, since a store reads all values for a ranking.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::domain::Topic;
use crate::live::Live;
use crate::store::StoreError;

/// How long an answer is kept at least.
const KEPT: Duration = Duration::from_secs(1);
/// An answer is kept for this many times as long as the store took for it: so rankings take a twentieth of the store's time at most.
const SHARE: u32 = 20;
/// How many answers are kept, each for another prefix.
const MOST: usize = 16;

/// The rankings that one process keeps. One ranking at a time is read.
#[derive(Default)]
pub struct Rankings(Mutex<HashMap<String, KeptRanking>>);

struct KeptRanking {
    topics: Vec<(Topic, i64)>,
    limit: usize,
    fresh_until: Instant,
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
        let asked = Instant::now();
        let is_fresh = |ranking: &&KeptRanking| ranking.limit >= limit && asked < ranking.fresh_until;
        if let Some(ranking) = kept.get(prefix).filter(is_fresh) {
            return Ok(ranking.topics.iter().take(limit).cloned().collect());
        }
        let topics = live.top(prefix, limit).await?;
        let fresh_until = Instant::now() + KEPT.max(SHARE * asked.elapsed());
        if kept.len() >= MOST {
            kept.retain(|_, ranking| asked < ranking.fresh_until);
        }
        if kept.len() < MOST || kept.contains_key(prefix) {
            kept.insert(prefix.to_owned(), KeptRanking { topics: topics.clone(), limit, fresh_until });
        }
        Ok(topics)
    }
}
