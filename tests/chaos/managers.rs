//! Writers that add to, set and delete counters, with and without `Idempotency-Key`, and what they were answered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use livecounter::access::NewSecret;
use reqwest::{Client, RequestBuilder};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::answers::Answer;
use crate::order::{Change, Write};
use crate::random::Random;
use crate::support::http::client;
use crate::support::keys::key_table;

/// The pause between two writes of one manager.
const PACE: Duration = Duration::from_millis(40);
/// The pause before a write with a key is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What the owner may do: change all counters, and read, write and delete all feeds and entities.
const SCOPES: &str = r#"["manage:counters/", "read:routes/", "write:routes/", "manage:routes/"]"#;

/// Running managers, which end when this value is dropped.
#[derive(Default)]
pub(crate) struct Managers {
    records: Arc<ManagerRecords>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct ManagerRecords {
    stop: AtomicBool,
    writes: Mutex<HashMap<String, Vec<Write>>>,
    /// The answers, or the errors, of the writes whose outcome is unknown.
    reasons: Mutex<Vec<String>>,
    wrongs: Mutex<Vec<String>>,
    /// The writes that were answered otherwise when they were repeated.
    repeated: Mutex<Vec<String>>,
    keys: AtomicU64,
}

/// A key of the service that may manage all counters, feeds and entities.
#[derive(Clone)]
pub(crate) struct Owner {
    secret: Arc<NewSecret>,
}

impl Owner {
    pub(crate) fn new() -> Owner {
        Owner { secret: Arc::new(NewSecret::generate().expect("random numbers")) }
    }

    /// The setting of the service that makes it the owner's.
    pub(crate) fn setting(&self) -> (String, String) {
        ("LIVECOUNTER__KEYS".to_owned(), key_table("owner", &self.secret, SCOPES))
    }

    /// The key itself.
    pub(crate) fn secret(&self) -> &str {
        self.secret.expose()
    }

    /// The request that makes the change.
    fn request(&self, client: &Client, base: &str, counter: &str, change: Change) -> RequestBuilder {
        let url = format!("{base}/counters/{counter}/");
        let request = match change {
            Change::Add(by) => client.post(format!("{url}?by={by}")),
            Change::Set(value) => client.put(format!("{url}?value={value}")),
            Change::Delete => client.delete(url),
        };
        request.bearer_auth(self.secret.expose())
    }
}

impl Managers {
    /// Starts `count` managers. Each changes one of the counters, again and again, through one of the bases (`http://host:port`). Every
    /// second manager uses keys.
    pub(crate) fn start(
        count: usize,
        bases: &[String],
        counters: &[String],
        owner: &Owner,
        seed: u64,
    ) -> Managers {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
        let (records, mut tasks) = (Arc::<ManagerRecords>::default(), JoinSet::new());
        for number in 0..count {
            let manager = Manager {
                client: client.clone(),
                bases: bases.to_vec(),
                counters: counters.to_vec(),
                owner: owner.clone(),
                random: Random::new(!seed.wrapping_add(number as u64)),
                seed,
                keyed: number % 2 == 0,
                records: Arc::clone(&records),
            };
            tasks.spawn(manager.manage());
        }
        Managers { records, tasks }
    }

    /// Makes a change, which must be answered well, and records it for the checker.
    pub(crate) async fn write(&self, owner: &Owner, base: &str, counter: &str, change: Change) {
        let began = Instant::now();
        let request = owner.request(&client(), base, counter, change);
        let Answer::Done(text) = Answer::to(request).await else { panic!("{change:?} has failed") };
        self.records.done(counter, change, began, &text);
    }

    /// Stops the managers and waits until all have ended; one with a key ends only when its write is answered.
    pub(crate) async fn stop(&mut self, within: Duration) {
        self.records.stop.store(true, Relaxed);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(within, all).await.expect("every keyed write answered");
    }

    /// The writes of each counter.
    pub(crate) fn writes(&self) -> HashMap<String, Vec<Write>> {
        lock(&self.records.writes).clone()
    }

    /// The answers, or the errors, of the writes whose outcome is unknown.
    pub(crate) fn reasons(&self) -> Vec<String> {
        lock(&self.records.reasons).clone()
    }

    /// The writes that were answered otherwise when they were repeated. This is an error where the store has lost nothing that was answered.
    pub(crate) fn repeated(&self) -> Vec<String> {
        lock(&self.records.repeated).clone()
    }

    /// All other errors so far.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        lock(&self.records.wrongs).clone()
    }
}

impl ManagerRecords {
    /// Records a write that is answered well.
    fn done(&self, counter: &str, change: Change, began: Instant, text: &str) {
        let value = match change {
            Change::Add(_) => text.trim().parse().ok(),
            Change::Set(value) => (text == format!("{value}\n")).then_some(value),
            Change::Delete => text.is_empty().then_some(0),
        };
        match value {
            Some(value) => self.note(counter, Write { change, value, began, answered: Some(Instant::now()) }),
            None => self.wrong(format!("{counter}: {change:?} was answered {text:?}")),
        }
    }

    fn note(&self, counter: &str, write: Write) {
        lock(&self.writes).entry(counter.to_owned()).or_default().push(write);
    }

    fn wrong(&self, wrong: String) {
        lock(&self.wrongs).push(wrong);
    }
}

struct Manager {
    client: Client,
    bases: Vec<String>,
    counters: Vec<String>,
    owner: Owner,
    random: Random,
    /// A part of the keys, so that later managers have others.
    seed: u64,
    keyed: bool,
    records: Arc<ManagerRecords>,
}

/// A write with a key that is answered and is sent once more later.
struct Repeated {
    counter: String,
    change: Change,
    key: String,
    answer: String,
}

impl Manager {
    async fn manage(mut self) {
        let mut repeated = None;
        while !self.records.stop.load(Relaxed) {
            let counter = self.counters[self.random.below(self.counters.len())].clone();
            let change = self.draw();
            let answered = if self.keyed {
                self.write_with_key(counter, change).await
            } else {
                self.write_once(&counter, change).await;
                None
            };
            // The write before this one is sent again, so that it comes late.
            if let Some(repeated) = repeated.take() {
                self.repeat(repeated).await;
            }
            repeated = answered.filter(|_| self.random.below(2) == 0);
            sleep(PACE).await;
        }
    }

    /// The amounts and values are so many that none comes twice: so a value tells which writes have led to it.
    fn draw(&mut self) -> Change {
        match self.random.below(10) {
            0..6 => Change::Add(1 + self.random.below(1_000_000_000) as i64),
            6 | 7 => Change::Set(1 + self.random.below(1_000_000_000_000) as i64),
            _ => Change::Delete,
        }
    }

    /// A request through one of the bases.
    fn request(&mut self, counter: &str, change: Change) -> RequestBuilder {
        let base = &self.bases[self.random.below(self.bases.len())];
        self.owner.request(&self.client, base, counter, change)
    }

    async fn write_once(&mut self, counter: &str, change: Change) {
        let (began, records) = (Instant::now(), Arc::clone(&self.records));
        match Answer::to(self.request(counter, change)).await {
            Answer::Done(text) => records.done(counter, change, began, &text),
            Answer::Unsent => {}
            Answer::Unknown(reason) => {
                lock(&records.reasons).push(reason);
                records.note(counter, Write { change, value: 0, began, answered: None });
            }
            Answer::Wrong(answer) => records.wrong(format!("{counter}: {change:?} was answered {answer}")),
        }
    }

    /// Sends the write until it is answered.
    async fn write_with_key(&mut self, counter: String, change: Change) -> Option<Repeated> {
        let (began, records) = (Instant::now(), Arc::clone(&self.records));
        let key = format!("managed-{}-{}", self.seed, records.keys.fetch_add(1, Relaxed));
        loop {
            let request = self.request(&counter, change).header("Idempotency-Key", &key);
            match Answer::to(request).await {
                Answer::Done(answer) => {
                    records.done(&counter, change, began, &answer);
                    return Some(Repeated { counter, change, key, answer });
                }
                Answer::Unknown(_) | Answer::Unsent => {}
                Answer::Wrong(answer) => {
                    records.wrong(format!("{counter}: {change:?} was answered {answer}"));
                    return None;
                }
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    /// Sends an answered write again, which must change nothing and be answered the same.
    async fn repeat(&mut self, repeated: Repeated) {
        let Repeated { counter, change, key, answer } = repeated;
        let request = self.request(&counter, change).header("Idempotency-Key", &key);
        match Answer::to(request).await {
            Answer::Done(again) if again == answer => {}
            Answer::Unknown(_) | Answer::Unsent => {}
            Answer::Done(again) | Answer::Wrong(again) => {
                let repeated =
                    format!("{counter}: {change:?} was answered {answer:?}, and its repetition {again:?}");
                lock(&self.records.repeated).push(repeated);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread has panicked with it")
}
