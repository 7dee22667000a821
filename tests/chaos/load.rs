//! A steady load: POSTs to many counters, straight to the origins, at a rate that does not wait for the answers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use tokio::task::JoinSet;

use crate::support::http::client;
use crate::world::World;

/// Among others that need the machine at the same time.
const PER_SECOND: u32 = 200;
/// Requests under way when all counters are read.
const READING: usize = 16;

/// The load, and what it has counted so far.
pub(crate) struct Load {
    client: reqwest::Client,
    bases: Vec<String>,
    /// How often each counter was added to.
    counts: Vec<i64>,
    next: usize,
}

impl Load {
    /// On so many counters of its own, spread over the origins; nothing is sent yet.
    pub(crate) fn new(world: &World, counters: usize) -> Load {
        let bases = world.origins.iter().map(|origin| origin.url("/counters")).collect();
        Load { client: client(), bases, counts: vec![0; counters], next: 0 }
    }

    /// Adds 1 to one counter after the other for so long. Every POST must be answered well; returns how long they took,
    /// the shortest first.
    pub(crate) async fn run(&mut self, time: Duration) -> Vec<Duration> {
        let took = Arc::new(Mutex::new(Vec::new()));
        let mut pace = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
        let (started, mut posts) = (Instant::now(), JoinSet::new());
        while started.elapsed() < time {
            let due = pace.tick().await;
            let (counter, base) = (self.next % self.counts.len(), &self.bases[self.next % self.bases.len()]);
            self.next += 1;
            self.counts[counter] += 1;
            let (post, took) = (self.client.post(format!("{base}/p{counter}/")), Arc::clone(&took));
            posts.spawn(async move {
                assert_eq!(post.send().await.expect("an answer").status(), 200);
                took.lock().expect("no task has panicked").push(due.elapsed());
            });
        }
        while let Some(ended) = posts.join_next().await {
            ended.expect("a POST that is answered well");
        }
        let mut took = std::mem::take(&mut *took.lock().expect("no task has panicked"));
        took.sort_unstable();
        took
    }

    /// Reads all counters through the cache; returns those that do not show what was counted.
    pub(crate) async fn stale(&self, world: &World) -> Vec<String> {
        let read = async |(counter, &count): (usize, &i64)| {
            let value = world.cached(&format!("p{counter}")).await;
            (value != Some(count)).then(|| format!("p{counter} is {count}, the cache says {value:?}"))
        };
        let reads = stream::iter(self.counts.iter().enumerate()).map(read).buffer_unordered(READING);
        reads.filter_map(|stale| async { stale }).collect().await
    }
}

/// What 99 of 100 took at most.
pub(crate) fn p99(took: &[Duration]) -> Duration {
    took[took.len() * 99 / 100]
}
