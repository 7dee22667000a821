//! Sends random commands to the specification and to each real store: answers and states must be the same.
//!
//! Leases and gates either end at once or last for the whole test, so that no answer depends on the speed of the machine.

mod commands;
mod feeds;
mod subjects;

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use livecounter::domain::{Epoch, EventId, LIMIT};
use livecounter::store::{
    Announcement, Claim, ClaimTerms, KeyUse, LONGEST_LEASE, Reading, WriteError, Written,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::spec::{Change, Now, Outcome, Time, Topic, millis};
use crate::support::redis::RedisServer;
use commands::{Command, TopicWrite, commands};
use subjects::{OnRedis, OnSqlite, Subject};

/// Counters, and one entity behind them.
const TOPICS: usize = 4;
const LONG: Duration = LONGEST_LEASE;
const DEADLINE: Duration = Duration::from_secs(10);

/// The specification and the store, and the store's epoch for each epoch of the specification.
struct Pair<S> {
    subject: S,
    topics: Vec<Topic>,
    claims: Vec<Vec<EventId>>,
    /// What each used key was used for, and the answer.
    keys: HashMap<(usize, usize), (Change, Written)>,
    epochs: HashMap<u64, Epoch>,
    next_epoch: u64,
    history: u64,
}

fn is_entity(topic: usize) -> bool {
    topic == TOPICS - 1
}

fn name(topic: usize) -> livecounter::domain::Topic {
    let name = if is_entity(topic) { "entity-a/b".to_owned() } else { format!("counter-{topic}") };
    name.parse().expect("a topic")
}

impl<S: Subject> Pair<S> {
    fn new(subject: S) -> Self {
        let (topics, claims) = (vec![Topic::default(); TOPICS], vec![Vec::new(); TOPICS]);
        let (keys, epochs) = (HashMap::new(), HashMap::new());
        Pair { subject, topics, claims, keys, epochs, next_epoch: 1, history: 1 }
    }

    /// The specification's time stands still during a call; a lease or gate that ends at once has ended at the next call.
    fn now(&mut self) -> Now {
        self.next_epoch += 1;
        Now { time: 1, history: self.history, epoch: Epoch::new(self.next_epoch) }
    }

    async fn obey(&mut self, command: &Command) -> Result<(), TestCaseError> {
        match command {
            Command::Write(items) => self.write(items).await?,
            Command::Claim(topics, shut, lasting) => self.claim(topics, *shut, *lasting).await?,
            Command::Acknowledge(which) => self.acknowledge(which).await,
            Command::Overdue => self.overdue().await?,
            Command::Restart => {
                self.subject.restart().await;
                self.topics.iter_mut().for_each(|topic| S::restarted(topic, &mut self.history));
            }
        }
        self.compare().await
    }

    async fn write(&mut self, items: &[TopicWrite]) -> Result<(), TestCaseError> {
        let writes = items.iter().map(|item| item.write(name(item.topic))).collect();
        let answers = self.subject.store().write(writes).await;
        for (item, answer) in items.iter().zip(answers) {
            match item.key.and_then(|key| self.keys.get(&(item.topic, key))).cloned() {
                Some(used) => replayed(item, &used, answer)?,
                None => self.written(item, answer)?,
            }
        }
        Ok(())
    }

    fn written(
        &mut self,
        item: &TopicWrite,
        answer: Result<Written, WriteError>,
    ) -> Result<(), TestCaseError> {
        let now = self.now();
        let TopicWrite { topic, change, claim, may_create, key } = item;
        let before = self.topics[*topic].clone();
        let (exists, is_deletion) = (before.exists(), *change == Change::Delete);
        let expected = self.topics[*topic].change(change, claim.then_some(LONG), now);
        let written = match (expected, answer) {
            (Outcome::OutOfRange, Err(WriteError::OutOfRange)) => return Ok(()),
            (Outcome::Refused(expected), Err(WriteError::Merge(found))) => {
                prop_assert_eq!(found, expected);
                return Ok(());
            }
            (Outcome::Changed(_), Err(WriteError::WouldBeNew)) if !exists && !may_create => {
                self.topics[*topic] = before;
                return Ok(());
            }
            (Outcome::Nothing, Ok(written)) => {
                prop_assert_eq!(&written, &Written::default());
                written
            }
            (Outcome::Changed(claimed), Ok(written)) if *may_create || exists => {
                let changed = &self.topics[*topic];
                let (value, id) = (changed.value, changed.reading().id);
                match written.stamp {
                    Some(stamp) => self.same_id(id, stamp.id)?,
                    None => prop_assert_eq!(written.value, value),
                }
                prop_assert_eq!(written.stamp.is_some(), is_entity(*topic) && !is_deletion);
                prop_assert!(!written.replayed);
                let (created, removed) = (!exists && !is_deletion, is_deletion);
                prop_assert_eq!((written.created, written.removed), (created, removed));
                self.same_announcement(claimed.clone(), written.claimed.clone())?;
                self.claims[*topic].extend(claimed.map(|claimed| claimed.id));
                written
            }
            (expected, answer) => {
                prop_assert!(false, "{:?}, not {:?}", answer, expected);
                return Ok(());
            }
        };
        if let Some(key) = key {
            self.keys.insert((*topic, *key), (change.clone(), written));
        }
        Ok(())
    }

    async fn claim(&mut self, topics: &[usize], shut: bool, lasting: bool) -> Result<(), TestCaseError> {
        let pick = |long| if long { LONG } else { Duration::ZERO };
        let terms = ClaimTerms { interval: pick(shut), lease: pick(lasting) };
        let answers =
            self.subject.store().claim(topics.iter().map(|topic| name(*topic)).collect(), terms).await;
        for (topic, answer) in topics.iter().zip(answers) {
            let now = self.now();
            let expected = self.topics[*topic].claim(terms, now);
            match (expected, answer.expect("the store to answer")) {
                (Claim::Announce(expected), Claim::Announce(found)) => {
                    self.same_announcement(Some(expected.clone()), Some(found))?;
                    self.claims[*topic].push(expected.id);
                }
                (Claim::Wait(most), Claim::Wait(rest)) => prop_assert!(rest > Duration::ZERO && rest <= most),
                (expected, found) => prop_assert_eq!(found, expected),
            }
        }
        Ok(())
    }

    async fn acknowledge(&mut self, which: &[(usize, usize)]) {
        let mut claims = Vec::new();
        for (topic, back) in which {
            let Some(id) = self.claims[*topic].iter().rev().nth(*back).copied() else { continue };
            self.topics[*topic].acknowledge(id, 1);
            claims.push((name(*topic), self.real(id)));
        }
        self.subject.store().acknowledge(claims).await.expect("acknowledged");
    }

    /// A sweep deletes the entities whose lives are over. It returns them and every topic that is certainly overdue, and none that is leased or has no mark. It may return a fresh change, as that
    /// depends on the time.
    async fn overdue(&mut self) -> Result<(), TestCaseError> {
        let due = |topic: &Topic, most: Time| topic.due.is_some_and(|due| due <= most);
        let (store, asked) = (self.subject.store(), Instant::now());
        let now = self.now();
        let ended: Vec<usize> =
            (0..TOPICS).filter(|index| self.topics[*index].end_life(now) != Outcome::Nothing).collect();
        let is_sure = |index: &usize| due(&self.topics[*index], 1) || ended.contains(index);
        let sure: Vec<_> = (0..TOPICS).filter(is_sure).map(name).collect();
        let mut found = Vec::new();
        // The store lets one caller sweep in each millisecond.
        let mut again = tokio::time::interval(Duration::from_millis(2));
        loop {
            again.tick().await;
            found.extend(store.overdue(100, Duration::ZERO).await.expect("the store to answer"));
            if sure.iter().all(|topic| found.contains(topic)) {
                break;
            }
            prop_assert!(asked.elapsed() < DEADLINE, "only {:?} of {:?}", found, sure);
        }
        for (index, topic) in self.topics.iter().enumerate().filter(|(index, _)| !ended.contains(index)) {
            prop_assert!(!found.contains(&name(index)) || due(topic, millis(LONG) - 1), "{}", index);
        }
        Ok(())
    }

    /// Reads must return the same.
    async fn compare(&mut self) -> Result<(), TestCaseError> {
        let store = self.subject.store();
        let readings = store.read((0..TOPICS).map(name).collect()).await;
        for (index, reading) in readings.into_iter().enumerate() {
            let (Reading { body, id, published }, found) =
                (self.topics[index].reading(), reading.expect("the store to answer"));
            prop_assert_eq!(found.body, body);
            self.same_id(id, found.id)?;
            self.same_id(published, found.published)?;
        }
        let marked = self.topics.iter().filter(|topic| topic.due.is_some()).count() as u64;
        prop_assert_eq!(store.outbox_len().await.expect("a number"), marked);
        let count = self.topics.iter().filter(|topic| topic.exists()).count() as u64;
        prop_assert_eq!(store.topic_count().await.expect("a number"), count);
        Ok(())
    }

    fn same_announcement(
        &mut self,
        expected: Option<Announcement>,
        found: Option<Announcement>,
    ) -> Result<(), TestCaseError> {
        let (Some(expected), Some(found)) = (&expected, &found) else {
            prop_assert_eq!(expected, found);
            return Ok(());
        };
        prop_assert_eq!(&found.body, &expected.body);
        self.same_id(expected.id, found.id)?;
        self.same_id(expected.prev, found.prev)
    }

    /// Epochs are random: the test compares which of them are equal.
    fn same_id(&mut self, expected: EventId, found: EventId) -> Result<(), TestCaseError> {
        prop_assert_eq!(found.revision, expected.revision);
        if expected.epoch == Epoch::NONE || found.epoch == Epoch::NONE {
            prop_assert_eq!(found.epoch, expected.epoch);
            return Ok(());
        }
        let known = *self.epochs.entry(expected.epoch.get()).or_insert(found.epoch);
        prop_assert_eq!(found.epoch, known, "{}", expected);
        Ok(())
    }

    fn real(&self, id: EventId) -> EventId {
        EventId { epoch: self.epochs[&id.epoch.get()], ..id }
    }
}

/// The answer to a key that was used before.
fn replayed(
    item: &TopicWrite,
    (first, answered): &(Change, Written),
    answer: Result<Written, WriteError>,
) -> Result<(), TestCaseError> {
    match answer {
        Ok(again) => {
            prop_assert_eq!(&item.change, first);
            let replayed = Written { replayed: true, created: false, claimed: None, ..answered.clone() };
            prop_assert_eq!(again, replayed);
        }
        Err(WriteError::KeyReused(used)) => {
            let first_write =
                TopicWrite { change: first.clone(), ..item.clone() }.write(name(item.topic)).change;
            let expected = match first {
                Change::Add(amounts) => KeyUse::Add(amounts[0]),
                Change::Set(value) => KeyUse::Set(*value),
                Change::Merge(_) => KeyUse::of(&first_write),
                Change::Delete => KeyUse::Delete,
            };
            prop_assert!(used == expected && item.change != *first);
        }
        // A change that no value allows is refused before the key is looked at.
        Err(WriteError::OutOfRange) => {
            prop_assert!(matches!(item.change, Change::Set(value) if value > LIMIT))
        }
        other => prop_assert!(false, "{:?}", other),
    }
    Ok(())
}

fn refines(cases: u32, subject: impl Subject) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let subject = RefCell::new(Some(subject));
    let outcome = TestRunner::new(config).run(&commands(), |commands| {
        let mut pair = Pair::new(subject.take().expect("the subject"));
        let end = runtime.block_on(async {
            pair.subject.clear().await;
            for command in &commands {
                pair.obey(command).await?;
            }
            Ok(())
        });
        subject.replace(Some(pair.subject));
        end
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn sqlite_does_what_the_specification_says() {
    refines(60, OnSqlite::open(tempfile::tempdir().expect("a directory")));
}

#[test]
fn redis_does_what_the_specification_says() {
    refines(100, OnRedis::connect(RedisServer::start()));
}
