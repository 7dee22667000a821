//! Writers of drops, with and without `Idempotency-Key`, and what they were answered.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::targets::Target;
use crate::answers::Answer;
use crate::managers::Owner;
use crate::random::Random;

/// The pause between two drops of one writer.
const PACE: Duration = Duration::from_millis(60);
/// The pause before a drop with a key is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A drop that may have been written, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) writer: String,
    /// The number of the drop among those that this writer has sent to the same feed or entity, from 1 on.
    pub(crate) number: u64,
    /// The id that the writer was answered, `epoch-revision`; `None` where the drop may or may not have been written.
    pub(crate) id: Option<String>,
}

/// Running writers, which end when this value is dropped.
#[derive(Default)]
pub(crate) struct DropWriters {
    records: Arc<DropRecords>,
    tasks: JoinSet<()>,
    seed: u64,
}

#[derive(Default)]
struct DropRecords {
    stop: AtomicBool,
    attempts: Mutex<Vec<(Target, Attempt)>>,
    wrongs: Mutex<Vec<String>>,
}

impl DropWriters {
    /// Starts so many writers, which write to all targets through the bases (`http://host:port`). Every second one uses keys.
    pub(crate) fn start(count: usize, bases: &[String], owner: &Owner, seed: u64) -> DropWriters {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
        let (records, mut tasks) = (Arc::<DropRecords>::default(), JoinSet::new());
        for number in 0..count {
            let writer = DropWriter {
                client: client.clone(),
                bases: bases.to_vec(),
                owner: owner.clone(),
                random: Random::new(seed.wrapping_add(1_000 + number as u64)),
                name: format!("w{seed}-{number}"),
                keyed: number % 2 == 0,
                records: Arc::clone(&records),
            };
            tasks.spawn(writer.write());
        }
        DropWriters { records, tasks, seed }
    }

    /// Writes to each target, which must be answered well.
    pub(crate) async fn write_to_all(&self, client: &Client, base: &str, owner: &Owner) {
        let writer = format!("last{}", self.seed);
        for target in Target::ALL {
            let number = 1 + lock(&self.records.attempts)
                .iter()
                .filter(|(of, it)| *of == target && it.writer == writer)
                .count() as u64;
            let answer = Answer::to(target.request(client, base, owner, &writer, number)).await;
            let id = match &answer {
                Answer::Done(text) => drop_id(text),
                _ => None,
            };
            assert!(id.is_some(), "a drop to {target:?} has failed");
            self.records.note(target, Attempt { writer: writer.clone(), number, id });
        }
    }

    /// Stops the writers and waits until all have ended; one with a key ends only when its drop is answered.
    pub(crate) async fn stop(&mut self, within: Duration) {
        self.records.stop.store(true, Relaxed);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(within, all).await.expect("every keyed drop answered");
    }

    /// The drops to a target, each writer's in its order.
    pub(crate) fn attempts(&self, target: Target) -> Vec<Attempt> {
        let attempts = lock(&self.records.attempts);
        attempts.iter().filter(|(of, _)| *of == target).map(|(_, attempt)| attempt.clone()).collect()
    }

    pub(crate) fn wrongs(&self) -> Vec<String> {
        lock(&self.records.wrongs).clone()
    }
}

impl DropRecords {
    fn note(&self, target: Target, attempt: Attempt) {
        lock(&self.attempts).push((target, attempt));
    }

    fn wrong(&self, wrong: String) {
        lock(&self.wrongs).push(wrong);
    }
}

/// The `drop_id` of an answer.
pub(crate) fn drop_id(answer: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    answer["drop_id"].as_str().map(str::to_owned)
}

struct DropWriter {
    client: Client,
    bases: Vec<String>,
    owner: Owner,
    random: Random,
    name: String,
    keyed: bool,
    records: Arc<DropRecords>,
}

impl DropWriter {
    async fn write(mut self) {
        let mut numbers = [0; Target::ALL.len()];
        while !self.records.stop.load(Relaxed) {
            let place = self.random.below(Target::ALL.len());
            numbers[place] += 1;
            let (target, number) = (Target::ALL[place], numbers[place]);
            let answered = if self.keyed {
                let answered = self.write_until_answered(target, number).await;
                if let Some(id) = answered.clone().filter(|_| self.random.below(4) == 0) {
                    self.repeat(target, number, id).await;
                }
                answered
            } else {
                match self.send(target, number).await {
                    Answer::Unsent => continue,
                    answer => self.id(target, answer),
                }
            };
            self.records.note(target, Attempt { writer: self.name.clone(), number, id: answered });
            sleep(PACE).await;
        }
    }

    async fn send(&mut self, target: Target, number: u64) -> Answer {
        let base = &self.bases[self.random.below(self.bases.len())];
        let mut request = target.request(&self.client, base, &self.owner, &self.name, number);
        if self.keyed {
            request = request.header("Idempotency-Key", format!("{}-{}-{number}", self.name, target.name()));
        }
        Answer::to(request).await
    }

    /// The id that a drop was answered.
    fn id(&self, target: Target, answer: Answer) -> Option<String> {
        match answer {
            Answer::Done(text) => {
                let id = drop_id(&text);
                if id.is_none() {
                    self.records.wrong(format!("a drop to {target:?} was answered {text}"));
                }
                id
            }
            Answer::Wrong(answer) => {
                self.records.wrong(format!("a drop to {target:?} was answered {answer}"));
                None
            }
            Answer::Unknown(_) | Answer::Unsent => None,
        }
    }

    /// `None` only after an answer that no fault explains.
    async fn write_until_answered(&mut self, target: Target, number: u64) -> Option<String> {
        loop {
            match self.send(target, number).await {
                Answer::Unknown(_) | Answer::Unsent => sleep(AGAIN_AFTER).await,
                answer => return self.id(target, answer),
            }
        }
    }

    /// Sends an answered drop again, which must change nothing and be answered the same.
    async fn repeat(&mut self, target: Target, number: u64, id: String) {
        if let Answer::Done(text) = self.send(target, number).await
            && drop_id(&text).as_ref() != Some(&id)
        {
            self.records.wrong(format!("a drop to {target:?} was answered {id}, and its repetition {text}"));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread has panicked with it")
}
