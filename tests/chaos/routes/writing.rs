//! Writers of drops, who also delete feeds and entities, with and without `Idempotency-Key`, and what they were answered.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::history::{Attempt, Deletion, History, Span};
use super::targets::Target;
use crate::answers::Answer;
use crate::managers::Owner;
use crate::random::Random;

/// The pause between two drops of one writer.
const PACE: Duration = Duration::from_millis(60);
/// The pause before a drop with a key is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// One of so many writes is a deletion.
const DELETIONS: usize = 30;

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
    histories: Mutex<Vec<(Target, History)>>,
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
            let attempts = self.history(target).attempts;
            let number = 1 + attempts.iter().filter(|attempt| attempt.writer == writer).count() as u64;
            let (write, began) = (Write { target, number, deletes: false }, Instant::now());
            let answer = Answer::to(write.request(client, base, owner, &writer)).await;
            let effect = match &answer {
                Answer::Done(text) => write.effect(text),
                _ => None,
            };
            assert!(effect.is_some(), "a drop to {target:?} has failed");
            self.records.note(write, &writer, effect, began);
        }
    }

    /// Stops the writers and waits until all have ended; one with a key ends only when its drop is answered.
    pub(crate) async fn stop(&mut self, within: Duration) {
        self.records.stop.store(true, Relaxed);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(within, all).await.expect("every keyed drop answered");
    }

    /// What was written to a target.
    pub(crate) fn history(&self, target: Target) -> History {
        let histories = lock(&self.records.histories);
        histories.iter().find(|(of, _)| *of == target).map(|(_, history)| history.clone()).unwrap_or_default()
    }

    pub(crate) fn wrongs(&self) -> Vec<String> {
        lock(&self.records.wrongs).clone()
    }
}

impl DropRecords {
    /// Records a write that began then and that now has this effect, if it is known.
    fn note(&self, write: Write, writer: &str, effect: Option<Effect>, began: Instant) {
        let span = Span { began, answered: effect.is_some().then(Instant::now) };
        let mut histories = lock(&self.histories);
        let place = histories.iter().position(|(of, _)| *of == write.target).unwrap_or_else(|| {
            histories.push((write.target, History::default()));
            histories.len() - 1
        });
        let history = &mut histories[place].1;
        match effect {
            Some(Effect::Deleted(found)) => history.deletions.push(Deletion { span, found }),
            None if write.deletes => history.deletions.push(Deletion { span, found: None }),
            effect => {
                let id = effect.and_then(|effect| effect.id());
                history.attempts.push(Attempt { writer: writer.to_owned(), number: write.number, id, span });
            }
        }
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

/// A drop or a deletion that a writer sends.
#[derive(Clone, Copy, Debug)]
struct Write {
    target: Target,
    /// The number among all that this writer has sent to the target.
    number: u64,
    deletes: bool,
}

/// What an answer says of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    /// The id of the drop.
    Written(String),
    /// Whether there was anything to delete, if the answer says so.
    Deleted(Option<bool>),
}

impl Effect {
    fn id(self) -> Option<String> {
        match self {
            Effect::Written(id) => Some(id),
            Effect::Deleted(_) => None,
        }
    }
}

impl Write {
    fn request(self, client: &Client, base: &str, owner: &Owner, writer: &str) -> RequestBuilder {
        match self.deletes {
            true => self.target.deletion(client, base, owner),
            false => self.target.request(client, base, owner, writer, self.number),
        }
    }

    /// `None` if this is no answer to such a request.
    fn effect(self, answer: &str) -> Option<Effect> {
        match (self.deletes, self.target.is_feed()) {
            (false, _) => drop_id(answer).map(Effect::Written),
            (true, true) => answer.is_empty().then_some(Effect::Deleted(None)),
            (true, false) => {
                let answer: Value = serde_json::from_str(answer).ok()?;
                answer["deleted"].as_bool().map(|found| Effect::Deleted(Some(found)))
            }
        }
    }
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
            let deletes = self.random.below(DELETIONS) == 0;
            let (write, began) =
                (Write { target: Target::ALL[place], number: numbers[place], deletes }, Instant::now());
            let effect = if self.keyed {
                let effect = self.write_until_answered(write).await;
                if let Some(effect) = effect.clone().filter(|_| self.random.below(4) == 0) {
                    self.repeat(write, effect).await;
                }
                effect
            } else {
                match self.send(write).await {
                    Answer::Unsent => continue,
                    answer => self.effect(write, answer),
                }
            };
            self.records.note(write, &self.name, effect, began);
            sleep(PACE).await;
        }
    }

    async fn send(&mut self, write: Write) -> Answer {
        let base = &self.bases[self.random.below(self.bases.len())];
        let mut request = write.request(&self.client, base, &self.owner, &self.name);
        if self.keyed {
            let key = format!("{}-{}-{}", self.name, write.target.name(), write.number);
            request = request.header("Idempotency-Key", key);
        }
        Answer::to(request).await
    }

    /// What the answer to a write says.
    fn effect(&self, write: Write, answer: Answer) -> Option<Effect> {
        match answer {
            Answer::Done(text) => {
                let effect = write.effect(&text);
                if effect.is_none() {
                    self.records.wrong(format!("{write:?} was answered {text:?}"));
                }
                effect
            }
            Answer::Wrong(answer) => {
                self.records.wrong(format!("{write:?} was answered {answer}"));
                None
            }
            Answer::Unknown(_) | Answer::Unsent => None,
        }
    }

    /// `None` only after an answer that no fault explains.
    async fn write_until_answered(&mut self, write: Write) -> Option<Effect> {
        loop {
            match self.send(write).await {
                Answer::Unknown(_) | Answer::Unsent => sleep(AGAIN_AFTER).await,
                answer => return self.effect(write, answer),
            }
        }
    }

    /// Sends an answered write again, which must change nothing and be answered the same.
    async fn repeat(&mut self, write: Write, effect: Effect) {
        if let Answer::Done(text) = self.send(write).await
            && write.effect(&text).as_ref() != Some(&effect)
        {
            self.records.wrong(format!("{write:?} was answered {effect:?}, and its repetition {text:?}"));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread has panicked with it")
}
