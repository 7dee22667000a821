//! Writers that add to counters and visit pages, with and without `Idempotency-Key`, and their answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use reqwest::header::{COOKIE, HeaderName, USER_AGENT};
use reqwest::{Client, RequestBuilder};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::answers::Answer;
use crate::hits;
use crate::random::Random;
use crate::support::http::{Ask, client};

/// The pause between two additions of one writer.
const PACE: Duration = Duration::from_millis(40);
/// The pause before an addition with a key is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// A name by which the service knows a program that fetches pictures for many readers.
const IMAGE_PROXY: &str = "github-camo (chaos)";
static KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The answers that the writers of one counter or page got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The value of each answered addition; once for one with a key that was sent several times.
    pub(crate) values: Vec<i64>,
    /// When each of them was answered.
    pub(crate) times: Vec<Instant>,
    /// Those of the values that no other addition may be answered.
    pub(crate) own: Vec<i64>,
    /// Additions without a key whose outcome is unknown: 503, or no answer.
    pub(crate) ambiguous: u64,
    /// The answers of those additions, or their errors.
    pub(crate) reasons: Vec<String>,
    /// What was answered to hits that were repeated, where it is less than what the hit was answered.
    pub(crate) fallen: Vec<String>,
}

impl Told {
    fn answered(&mut self, value: i64, is_own: bool) {
        self.values.push(value);
        self.times.push(Instant::now());
        if is_own {
            self.own.push(value);
        }
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
        Writers::start_with(&Way::OF_COUNTERS, count, bases, counters, seed)
    }

    /// Starts `count` writers that visit one of the pages, again and again. Every third one uses keys, and every third one is a new visitor each time.
    pub(crate) fn of_pages(count: usize, bases: &[String], pages: &[String], seed: u64) -> Writers {
        Writers::start_with(&Way::OF_PAGES, count, bases, pages, seed)
    }

    fn start_with(ways: &[Way], count: usize, bases: &[String], names: &[String], seed: u64) -> Writers {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
        let (records, mut tasks) = (Arc::<WriterRecords>::default(), JoinSet::new());
        for number in 0..count {
            let writer = Writer {
                client: client.clone(),
                bases: bases.to_vec(),
                names: names.to_vec(),
                random: Random::new(seed.wrapping_add(number as u64)),
                seed,
                way: ways[number % ways.len()],
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
        self.send(client().post(format!("{base}/counters/{counter}/?by={by}")), counter).await
    }

    /// Visits the page; the request must be answered well.
    pub(crate) async fn hit(&self, base: &str, page: &str) -> i64 {
        self.send(Way::Picture.request(&client(), base, page), page).await.expect("200")
    }

    /// Sends an addition without a key; `None` if the answer is 503.
    async fn send(&self, request: RequestBuilder, name: &str) -> Option<i64> {
        let answer = request.answer().await;
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a text");
        let mut told = lock(&self.records.told);
        let told = told.entry(name.to_owned()).or_default();
        if status == 503 {
            told.ambiguous += 1;
            told.reasons.push(text);
            return None;
        }
        assert_eq!(status, 200, "{text}");
        let value = text.trim().parse().expect("a number");
        told.answered(value, true);
        Some(value)
    }

    /// The number of writers.
    pub(crate) fn count(&self) -> usize {
        self.tasks.len()
    }

    /// How many additions have been answered well.
    pub(crate) fn acknowledged(&self) -> usize {
        lock(&self.records.told).values().map(|told| told.values.len()).sum()
    }

    /// Stops the writers and waits until all have ended; a writer with a key ends only when its addition is answered.
    pub(crate) async fn stop(&mut self, within: Duration) {
        self.records.stop.store(true, Relaxed);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(within, all).await.expect("every keyed addition answered");
    }

    /// The answers of the writers, per counter or page.
    pub(crate) fn told(&self) -> HashMap<String, Told> {
        lock(&self.records.told).clone()
    }

    /// All errors so far.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        lock(&self.records.wrongs).clone()
    }
}

impl WriterRecords {
    /// Returns whether the writer is done with this addition.
    fn note(&self, name: &str, outcome: &Outcome, way: Way) -> bool {
        let mut told = lock(&self.told);
        let told = told.entry(name.to_owned()).or_default();
        match outcome {
            Outcome::Value(value) => told.answered(*value, way.has_own_value()),
            Outcome::Unknown(reason) if !way.is_keyed() => {
                told.ambiguous += 1;
                told.reasons.push(reason.clone());
            }
            Outcome::Unsent if !way.is_keyed() => {}
            _ => return false,
        }
        true
    }
}

/// What a writer sends to add 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Post,
    PostWithKey,
    /// A hit of a reader whose picture is fetched by a program, so that no visitor is recognised.
    Picture,
    HitWithKey,
    /// A hit of a new visitor, who gets a cookie.
    Visit,
}

impl Way {
    const OF_COUNTERS: [Way; 2] = [Way::PostWithKey, Way::Post];
    const OF_PAGES: [Way; 3] = [Way::HitWithKey, Way::Picture, Way::Visit];

    fn is_keyed(self) -> bool {
        matches!(self, Way::PostWithKey | Way::HitWithKey)
    }

    /// Whether no other addition may be answered the same value. A hit that an origin or its sender repeats is answered the present value, and an origin
    /// repeats those of new visitors and those with a key where the connection to Redis breaks.
    fn has_own_value(self) -> bool {
        !matches!(self, Way::HitWithKey | Way::Visit)
    }

    fn request(self, client: &Client, base: &str, name: &str) -> RequestBuilder {
        let hit = || client.get(format!("{base}/count?url={}", hits::address(name)));
        match self {
            Way::Post | Way::PostWithKey => client.post(format!("{base}/counters/{name}/")),
            Way::Picture => hit().header(USER_AGENT, IMAGE_PROXY),
            Way::HitWithKey | Way::Visit => hit(),
        }
    }
}

#[derive(Clone, Debug)]
enum Outcome {
    Value(i64),
    /// The addition may or may not have been made.
    Unknown(String),
    /// No connection was made, so that the addition was not made.
    Unsent,
}

struct Writer {
    client: Client,
    bases: Vec<String>,
    /// The counters, or the topics of the pages.
    names: Vec<String>,
    random: Random,
    /// A part of the keys, so that later writers have others.
    seed: u64,
    way: Way,
    records: Arc<WriterRecords>,
}

/// A header by which an addition is known.
type Known = (HeaderName, String);

impl Writer {
    async fn write(mut self) {
        while !self.records.stop.load(Relaxed) {
            let name = self.names[self.random.below(self.names.len())].clone();
            let number = || self.records.keys.fetch_add(1, Relaxed);
            let key = self.way.is_keyed().then(|| (KEY.clone(), format!("key-{}-{}", self.seed, number())));
            let (outcome, cookie) = loop {
                let (outcome, cookie) = self.send(&name, key.as_ref()).await;
                if self.records.note(&name, &outcome, self.way) {
                    break (outcome, cookie);
                }
                sleep(AGAIN_AFTER).await;
            };
            if let Outcome::Value(value) = outcome
                && !self.way.has_own_value()
                && self.random.below(4) == 0
            {
                let known = key.or_else(|| Some((COOKIE, cookie?)));
                self.repeat(&name, value, known).await;
            }
            sleep(PACE).await;
        }
    }

    /// Sends an addition. Also returns the cookie that the answer sets.
    async fn send(&mut self, name: &str, known: Option<&Known>) -> (Outcome, Option<String>) {
        let base = &self.bases[self.random.below(self.bases.len())];
        let mut request = self.way.request(&self.client, base, name);
        if let Some((header, value)) = known {
            request = request.header(header, value);
        }
        let (answer, cookie) = Answer::with_cookie(request).await;
        let outcome = match answer {
            Answer::Done(text) => {
                text.trim().parse().map_or_else(|_| Outcome::Unknown(format!("{text:?}")), Outcome::Value)
            }
            Answer::Unknown(reason) => Outcome::Unknown(reason),
            Answer::Unsent => Outcome::Unsent,
            Answer::Wrong(answer) => {
                self.wrong(format!("{:?} of {name} was answered {answer}", self.way));
                Outcome::Unknown(answer)
            }
        };
        (outcome, cookie)
    }

    /// Sends an answered hit again, which must not count. The answer is the present value.
    async fn repeat(&mut self, page: &str, value: i64, known: Option<Known>) {
        let Some(known) = known else {
            return self.wrong(format!("a new visitor of {page} got no cookie"));
        };
        if let (Outcome::Value(again), _) = self.send(page, Some(&known)).await
            && again < value
        {
            let fallen = format!("{page}: a hit was answered {value}, and its repetition {again}");
            lock(&self.records.told).entry(page.to_owned()).or_default().fallen.push(fallen);
        }
    }

    fn wrong(&self, wrong: String) {
        lock(&self.records.wrongs).push(wrong);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread has panicked with it")
}
