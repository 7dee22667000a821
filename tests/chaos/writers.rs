//! Writers, with and without `Idempotency-Key`, and their answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::answers::Answer;
use crate::random::Random;
use crate::support::http::{Ask, client};

/// The pause between two POSTs of one writer.
const PACE: Duration = Duration::from_millis(40);
/// The pause before a POST with a key is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The answers that the writers of one counter got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The value of each answered POST; once for a POST with a key that was sent several times.
    pub(crate) values: Vec<i64>,
    /// When each of them was answered.
    pub(crate) times: Vec<Instant>,
    /// POSTs without a key whose outcome is unknown: 503, or no answer.
    pub(crate) ambiguous: u64,
    /// The answers of those POSTs, or their errors.
    pub(crate) reasons: Vec<String>,
}

impl Told {
    fn answered(&mut self, value: i64) {
        self.values.push(value);
        self.times.push(Instant::now());
    }

    /// The greatest value that a writer had been answered at that time.
    pub(crate) fn most_at(&self, time: Instant) -> i64 {
        let told = self.values.iter().zip(&self.times).filter(|&(_, &at)| at <= time);
        told.map(|(&value, _)| value).max().unwrap_or(0)
    }
}

/// Running writers, which end when this value is dropped.
#[derive(Default)]
pub(crate) struct Writers {
    records: Arc<WriterRecords>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct WriterRecords {
    stop: AtomicBool,
    told: Mutex<HashMap<String, Told>>,
    wrongs: Mutex<Vec<String>>,
    keys: AtomicU64,
}

impl Writers {
    /// Starts `count` writers. Each adds 1 to one of the counters, again and again, through one of the bases (`http://host:port`). Every second writer uses
    /// keys.
    pub(crate) fn start(count: usize, bases: &[String], counters: &[String], seed: u64) -> Writers {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
        let (records, mut tasks) = (Arc::<WriterRecords>::default(), JoinSet::new());
        for number in 0..count {
            let writer = Writer {
                client: client.clone(),
                bases: bases.to_vec(),
                counters: counters.to_vec(),
                random: Random::new(seed.wrapping_add(number as u64)),
                seed,
                keyed: number % 2 == 0,
                records: Arc::clone(&records),
            };
            tasks.spawn(writer.write());
        }
        Writers { records, tasks }
    }

    /// Adds 1 without a key; the POST must be answered well.
    pub(crate) async fn add(&self, base: &str, counter: &str) -> i64 {
        self.add_by(base, counter, 1).await
    }

    /// Adds an amount, which the checker takes for 1.
    pub(crate) async fn add_by(&self, base: &str, counter: &str, by: i64) -> i64 {
        self.try_add_by(base, counter, by).await.expect("200")
    }

    /// Adds an amount, which the checker takes for 1; `None` if the answer is 503.
    pub(crate) async fn try_add_by(&self, base: &str, counter: &str, by: i64) -> Option<i64> {
        let url = format!("{base}/counters/{counter}/?by={by}");
        let answer = client().post(url).answer().await;
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a text");
        let mut told = lock(&self.records.told);
        let told = told.entry(counter.to_owned()).or_default();
        if status == 503 {
            told.ambiguous += 1;
            told.reasons.push(text);
            return None;
        }
        assert_eq!(status, 200, "{text}");
        let value = text.trim().parse().expect("a number");
        told.answered(value);
        Some(value)
    }

    /// The number of writers.
    pub(crate) fn count(&self) -> usize {
        self.tasks.len()
    }

    /// How many POSTs have been answered well.
    pub(crate) fn acknowledged(&self) -> usize {
        lock(&self.records.told).values().map(|told| told.values.len()).sum()
    }

    /// Stops the writers and waits until all have ended; a writer with a key ends only when its POST is answered.
    pub(crate) async fn stop(&mut self, within: Duration) {
        self.records.stop.store(true, Relaxed);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(within, all).await.expect("every keyed POST answered");
    }

    /// The answers of the writers, per counter.
    pub(crate) fn told(&self) -> HashMap<String, Told> {
        lock(&self.records.told).clone()
    }

    /// All errors so far.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        lock(&self.records.wrongs).clone()
    }
}

impl WriterRecords {
    /// Returns whether the writer is done with this POST.
    fn note(&self, counter: &str, answer: PostOutcome, keyed: bool) -> bool {
        let mut told = lock(&self.told);
        let told = told.entry(counter.to_owned()).or_default();
        match answer {
            PostOutcome::Value(value) => told.answered(value),
            PostOutcome::Unknown(reason) if !keyed => {
                told.ambiguous += 1;
                told.reasons.push(reason);
            }
            PostOutcome::Unsent if !keyed => {}
            _ => return false,
        }
        true
    }
}

enum PostOutcome {
    Value(i64),
    /// The POST may or may not have been counted.
    Unknown(String),
    /// No connection was made, so that the POST was not counted.
    Unsent,
}

struct Writer {
    client: Client,
    bases: Vec<String>,
    counters: Vec<String>,
    random: Random,
    /// A part of the keys, so that later writers have others.
    seed: u64,
    keyed: bool,
    records: Arc<WriterRecords>,
}

impl Writer {
    async fn write(mut self) {
        while !self.records.stop.load(Relaxed) {
            let counter = self.counters[self.random.below(self.counters.len())].clone();
            let key =
                self.keyed.then(|| format!("key-{}-{}", self.seed, self.records.keys.fetch_add(1, Relaxed)));
            loop {
                let answer = self.post(&counter, key.as_deref()).await;
                if self.records.note(&counter, answer, key.is_some()) {
                    break;
                }
                sleep(AGAIN_AFTER).await;
            }
            sleep(PACE).await;
        }
    }

    async fn post(&mut self, counter: &str, key: Option<&str>) -> PostOutcome {
        let base = &self.bases[self.random.below(self.bases.len())];
        let mut request = self.client.post(format!("{base}/counters/{counter}/"));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        match Answer::to(request).await {
            Answer::Done(text) => text
                .trim()
                .parse()
                .map_or_else(|_| PostOutcome::Unknown(format!("{text:?}")), PostOutcome::Value),
            Answer::Unknown(reason) => PostOutcome::Unknown(reason),
            Answer::Unsent => PostOutcome::Unsent,
            Answer::Wrong(answer) => {
                lock(&self.records.wrongs).push(format!("a POST was answered {answer}"));
                PostOutcome::Unknown(answer)
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread has panicked with it")
}
