//! Sends random appends, claims, acknowledgements and restarts to a feed of each real store. A small specification says what must come of them: each claim
//! has all events since the claim before it, and whoever has seen an event gets all that follow, up to the last claim.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use livecounter::domain::{Epoch, EventId, FeedEvent, IdempotencyKey, JsonText, Topic};
use livecounter::store::{Body, Change, Claim, ClaimTerms, Once, Write, Written};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::subjects::{OnRedis, OnSqlite, Subject};
use super::{DEADLINE, LONG};
use crate::spec;
use crate::support::redis::RedisServer;

#[derive(Clone, Debug)]
enum Command {
    /// How many events, and the number of the idempotency key.
    Append(usize, Option<usize>),
    /// Whether the lease lasts.
    Claim(bool),
    /// One of the claims so far, counted from the last.
    Acknowledge(usize),
    Restart,
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        6 => (1..4_usize, prop::option::weighted(0.4, 0..3_usize)).prop_map(|(n, key)| Command::Append(n, key)),
        5 => any::<bool>().prop_map(Command::Claim),
        4 => (0..3_usize).prop_map(Command::Acknowledge),
        1 => Just(Command::Restart),
    ];
    prop::collection::vec(command, 1..40)
}

/// The feed as the specification has it. Ids have the specification's own epochs.
#[derive(Default)]
struct Feed {
    /// The ids of all events; the revision of each is its place, from 1 on.
    events: Vec<EventId>,
    /// The history of the store's data in which the last event was appended, and how many epochs there were.
    history: Option<u64>,
    epochs: u64,
    /// The last claim: its id, and the id of the claim before.
    last: Option<(EventId, EventId)>,
    acknowledged: bool,
    /// Whether the lease of the last claim lasts.
    leased: bool,
}

impl Feed {
    fn append(&mut self, count: usize, history: u64) -> EventId {
        if self.history != Some(history) {
            (self.history, self.epochs) = (Some(history), self.epochs + 1);
        }
        for _ in 0..count {
            let revision = self.events.len() as u64 + 1;
            self.events.push(EventId { epoch: Epoch::new(self.epochs), revision });
        }
        self.events[self.events.len() - 1]
    }

    fn published(&self) -> EventId {
        self.last.map(|(id, _)| id).unwrap_or_default()
    }

    /// The id and the id before, if there is something to announce.
    fn claim(&mut self, lasting: bool) -> Option<(EventId, EventId)> {
        let newest = self.events.last().copied()?;
        if self.published() != newest {
            (self.last, self.acknowledged) = (Some((newest, self.published())), false);
        } else if self.acknowledged || self.leased {
            return None;
        }
        self.leased = lasting;
        self.last
    }

    fn between(&self, after: EventId, last: EventId) -> &[EventId] {
        let last = last.revision as usize;
        &self.events[(after.revision as usize).min(last)..last]
    }
}

struct Pair<S> {
    subject: S,
    feed: Feed,
    history: u64,
    claims: Vec<EventId>,
    /// The number of events and the answer of each used key.
    keys: HashMap<usize, (usize, Written)>,
    /// The store's epoch for each epoch of the specification.
    epochs: HashMap<u64, Epoch>,
}

fn topic() -> Topic {
    "feed-a/b".parse().expect("a topic")
}

impl<S: Subject> Pair<S> {
    async fn obey(&mut self, command: &Command) -> Result<(), TestCaseError> {
        match *command {
            Command::Append(count, key) => self.append(count, key).await?,
            Command::Claim(lasting) => self.claim(lasting).await?,
            Command::Acknowledge(back) => {
                if let Some(id) = self.claims.iter().rev().nth(back).copied() {
                    let is_last = self.feed.published() == id;
                    self.feed.acknowledged |= is_last;
                    let claims = vec![(topic(), self.real(id))];
                    self.subject.store().acknowledge(claims).await.expect("acknowledged");
                }
            }
            Command::Restart => {
                self.subject.restart().await;
                // What becomes of a lease, the store's own specification says.
                let due = Some(if self.feed.leased { u64::MAX } else { 0 });
                let mut state = spec::Topic { due, ..spec::Topic::default() };
                S::restarted(&mut state, &mut self.history);
                self.feed.leased = state.due == Some(u64::MAX);
            }
        }
        self.compare().await
    }

    /// The events of an append have its number and their own as data.
    async fn append(&mut self, count: usize, key: Option<usize>) -> Result<(), TestCaseError> {
        let used = key.and_then(|key| self.keys.get(&key)).cloned();
        let first = used.as_ref().map_or(self.feed.events.len() as u64, |(count, written)| {
            written.stamp.expect("a stamp").id.revision - *count as u64
        });
        let data = |at: u64| JsonText::parse((first + at).to_string().as_bytes()).expect("JSON");
        let events: Vec<JsonText> = (1..=count as u64).map(data).collect();
        let once = key.map(|key| format!("k{key}").parse::<IdempotencyKey>().expect("a key"));
        let write =
            Write { once: once.map(Once::from), ..Write::new(topic(), Change::Append(events.into())) };
        let answer = self.subject.store().write(vec![write]).await.remove(0);
        match used {
            Some((before, written)) if before == count => {
                let replayed = Written { replayed: true, created: false, ..written };
                prop_assert_eq!(answer.expect("an answer"), replayed);
            }
            Some(_) => prop_assert!(answer.is_err(), "{:?}", answer),
            None => {
                let written = answer.expect("appended");
                let id = self.feed.append(count, self.history);
                self.same_id(id, written.stamp.expect("a stamp").id)?;
                prop_assert_eq!((written.created, written.replayed), (first == 0, false));
                if let Some(key) = key {
                    self.keys.insert(key, (count, written));
                }
            }
        }
        Ok(())
    }

    async fn claim(&mut self, lasting: bool) -> Result<(), TestCaseError> {
        let lease = if lasting { LONG } else { Duration::ZERO };
        let terms = ClaimTerms { interval: Duration::ZERO, lease };
        let found = self.subject.store().claim(vec![topic()], terms).await.remove(0).expect("an answer");
        match (self.feed.claim(lasting), found) {
            (Some((id, prev)), Claim::Announce(found)) => {
                self.same_id(id, found.id)?;
                self.same_id(prev, found.prev)?;
                let Body::Events(events) = &found.body else { panic!("expected events, not {found:?}") };
                let expected = self.feed.between(prev, id).to_vec();
                self.same_events(&expected, events)?;
                self.claims.push(id);
            }
            (None, found) => prop_assert_eq!(found, Claim::Nothing),
            (expected, found) => prop_assert!(false, "{:?}, not {:?}", found, expected),
        }
        Ok(())
    }

    /// Whatever a listener has seen, it gets the rest.
    async fn compare(&mut self) -> Result<(), TestCaseError> {
        let (store, published) = (self.subject.store(), self.feed.published());
        let seen: Vec<EventId> =
            std::iter::once(EventId::default()).chain(self.feed.events.clone()).collect();
        for seen in seen {
            let missed = store.after(&topic(), self.real(seen)).await.expect("an answer");
            self.same_id(published, missed.published)?;
            let expected = self.feed.between(seen, published).to_vec();
            match missed.events {
                Ok(events) => self.same_events(&expected, &events)?,
                Err(gap) => prop_assert!(false, "a gap ({:?}) behind {}", gap, seen),
            }
        }
        let page = store.before(&topic(), None, 100).await.expect("a page").events;
        let expected = self.feed.between(EventId::default(), published).to_vec();
        self.same_events(&expected[expected.len().saturating_sub(100)..], &page)?;
        let newest = self.feed.events.last().copied().unwrap_or_default();
        let done = published == newest && (self.feed.acknowledged || newest == EventId::default());
        prop_assert_eq!(store.outbox_len().await.expect("a number"), u64::from(!done));
        Ok(())
    }

    fn same_events(&mut self, expected: &[EventId], found: &[FeedEvent]) -> Result<(), TestCaseError> {
        prop_assert_eq!(found.len(), expected.len());
        for (expected, found) in expected.iter().zip(found) {
            self.same_id(*expected, found.id)?;
            prop_assert_eq!(found.data.as_str(), expected.revision.to_string());
        }
        Ok(())
    }

    fn same_id(&mut self, expected: EventId, found: EventId) -> Result<(), TestCaseError> {
        prop_assert_eq!(found.revision, expected.revision);
        let known = *self.epochs.entry(expected.epoch.get()).or_insert(found.epoch);
        prop_assert_eq!(found.epoch, known, "{}", expected);
        Ok(())
    }

    fn real(&self, id: EventId) -> EventId {
        let epoch = if id.epoch == Epoch::NONE { Epoch::NONE } else { self.epochs[&id.epoch.get()] };
        EventId { epoch, ..id }
    }
}

fn refines(cases: u32, subject: impl Subject) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let subject = RefCell::new(Some(subject));
    let outcome = TestRunner::new(config).run(&commands(), |commands| {
        let (claims, keys, epochs) = (Vec::new(), HashMap::new(), HashMap::new());
        let subject_of_case = subject.take().expect("the subject");
        let mut pair =
            Pair { subject: subject_of_case, feed: Feed::default(), history: 1, claims, keys, epochs };
        let end = runtime.block_on(async {
            pair.subject.clear().await;
            for command in &commands {
                tokio::time::timeout(DEADLINE, pair.obey(command)).await.expect("an answer in time")?;
            }
            Ok(())
        });
        subject.replace(Some(pair.subject));
        end
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn sqlite_gives_every_listener_of_a_feed_the_rest() {
    refines(25, OnSqlite::open(tempfile::tempdir().expect("a directory")));
}

#[test]
fn redis_gives_every_listener_of_a_feed_the_rest() {
    refines(40, OnRedis::connect(RedisServer::start()));
}
