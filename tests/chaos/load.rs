//! A steady load: POSTs to many counters, straight to the origins, at a rate that does not wait for the answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use reqwest::RequestBuilder;
use tokio::task::JoinSet;

use crate::support::http::Ask;
use crate::world::World;

/// The rate is low, as other tests need the machine at the same time.
const PER_SECOND: u32 = 200;
/// The number of requests under way when all counters are added to or read.
const AT_ONCE: usize = 16;

/// The load, and its additions so far.
pub(crate) struct Load {
    client: reqwest::Client,
    bases: Vec<String>,
    /// The number of additions to each counter.
    counts: Vec<i64>,
    next: usize,
}

impl Load {
    /// A load on this many counters of its own, spread over the origins. It sends nothing yet.
    pub(crate) fn new(world: &World, counters: usize) -> Load {
        let bases = world.origins.iter().map(|origin| origin.url("/counters")).collect();
        // An origin closes a connection that is idle for 5 s; a POST on its way then would have no answer.
        let client = reqwest::Client::builder().no_proxy().pool_idle_timeout(Duration::from_secs(1));
        let client = client.timeout(Duration::from_secs(10)).build().expect("an HTTP client");
        Load { client, bases, counts: vec![0; counters], next: 0 }
    }

    /// Adds 1 to every counter as fast as possible.
    pub(crate) async fn touch_all(&mut self) {
        let posts = (0..self.counts.len()).map(|_| self.next_post()).collect::<Vec<_>>();
        let answers = stream::iter(posts).map(Ask::answer).buffer_unordered(AT_ONCE);
        answers.for_each(async |answer| assert_eq!(answer.status(), 200)).await;
    }

    /// Adds 1 to one counter after the other for so many seconds. Every POST must be answered well. Returns for each
    /// second what 99 of its 100 POSTs took at most, the shortest first.
    pub(crate) async fn run(&mut self, seconds: u64) -> Vec<Duration> {
        let took = Arc::new(Mutex::new(vec![Vec::new(); seconds as usize]));
        let mut pace = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
        let mut posts = JoinSet::new();
        for number in 0..PER_SECOND * seconds as u32 {
            let due = pace.tick().await;
            let (post, took) = (self.next_post(), Arc::clone(&took));
            posts.spawn(async move {
                assert_eq!(post.answer().await.status(), 200);
                let second = (number / PER_SECOND) as usize;
                took.lock().expect("no task has panicked")[second].push(due.elapsed());
            });
        }
        while let Some(ended) = posts.join_next().await {
            ended.expect("a POST that is answered well");
        }
        let mut took = std::mem::take(&mut *took.lock().expect("no task has panicked"));
        let mut p99s: Vec<_> = took.iter_mut().map(|took| p99(took)).collect();
        p99s.sort_unstable();
        p99s
    }

    fn next_post(&mut self) -> RequestBuilder {
        let (counter, base) = (self.next % self.counts.len(), &self.bases[self.next % self.bases.len()]);
        self.next += 1;
        self.counts[counter] += 1;
        self.client.post(format!("{base}/p{counter}/"))
    }

    /// Reads all counters through the cache; returns those that do not show what was counted.
    pub(crate) async fn stale(&self, world: &World) -> Vec<String> {
        let read = async |(counter, &count): (usize, &i64)| {
            let value = world.cached(&format!("p{counter}")).await;
            (value != Some(count)).then(|| format!("p{counter} is {count}, the cache says {value:?}"))
        };
        let reads = stream::iter(self.counts.iter().enumerate()).map(read).buffer_unordered(AT_ONCE);
        reads.filter_map(|stale| async { stale }).collect().await
    }
}

fn p99(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took[took.len() * 99 / 100]
}
