//! The direct form of counters: the contract on a Redis that no version before may use, how counters get this form and lose it, and additions that
//! come when the form has ended.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use livecounter::domain::{IdempotencyKey, Topic};
use livecounter::store::redis::{DirectCounters, RedisStore};
use livecounter::store::{
    Announcement, Body, Catalog, Change, Claim, ClaimTerms, LONGEST_LEASE, Once, Outbox, Replay, Store, Sum,
    Values, Write, WriteError, Written,
};

use crate::contract::{self, Backend, every_sentence};
use crate::redis_one::TIMEOUT;
use crate::support::redis::RedisServer;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };
/// The greatest value with which a counter gets the direct form.
const FARTHEST: i64 = 1 << 39;

/// A Redis that was empty when this version migrated it, so that no version before may use it.
struct Direct(RedisServer);

impl Direct {
    async fn start() -> Self {
        let direct = Direct(RedisServer::start());
        direct.connect().migrate().await.expect("a migration");
        direct
    }

    /// A store as another process has it: it knows of no counter that has the direct form.
    fn connect(&self) -> RedisStore {
        RedisStore::connect(&self.0.url(), TIMEOUT).expect("a good address")
    }

    /// A store of a process that takes versions before for possible until it asks again.
    async fn connect_before_the_raise(&self) -> RedisStore {
        self.set_schema("2");
        let store = self.connect();
        store.ping().await.expect("an answer");
        self.set_schema("4");
        store
    }

    fn set_schema(&self, version: &str) {
        assert_eq!(self.0.cli(&["SET", "lc:{b0}:schema", version]), "OK");
    }

    /// Whether a counter has the direct form. The test fails if that is so of one of its keys only.
    fn is_direct(&self, topic: &Topic) -> bool {
        let is_direct = self.0.cli(&["HGET", &hash(topic), "v"]).starts_with('@');
        assert_eq!(self.0.cli(&["EXISTS", &number(topic)]), if is_direct { "1" } else { "0" }, "{topic}");
        is_direct
    }

    /// How many scripts have run.
    fn scripts(&self) -> u64 {
        let statistics = self.0.cli(&["INFO", "commandstats"]);
        let calls = |line: &str| {
            let (name, rest) = line.split_once(":calls=")?;
            let calls = rest.split(',').next()?.parse::<u64>().ok()?;
            name.starts_with("cmdstat_eval").then_some(calls)
        };
        statistics.lines().filter_map(calls).sum()
    }
}

#[async_trait]
impl Backend for Direct {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.connect())
    }

    async fn forget(&self) {
        self.0.cli(&["FLUSHALL"]);
        self.connect().migrate().await.expect("a migration");
    }
}

macro_rules! on_redis {
    ($($sentence:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $sentence() {
                contract::$sentence(&Direct::start().await).await;
            }
        )*
    };
}
every_sentence!(on_redis);

fn topic(id: u32) -> Topic {
    format!("counter-{id}").parse().expect("a topic")
}

fn hash(topic: &Topic) -> String {
    format!("lc:{{b{}}}:t:{}", topic.bucket(), topic.name())
}

fn number(topic: &Topic) -> String {
    hash(topic).replace("}:t:", "}:c:")
}

async fn try_write(store: &RedisStore, topic: &Topic, change: Change) -> Result<Written, WriteError> {
    store.write(vec![Write::new(topic.clone(), change)]).await.remove(0)
}

async fn write(store: &RedisStore, topic: &Topic, change: Change) -> i64 {
    try_write(store, topic, change).await.expect("done").value
}

async fn add(store: &RedisStore, topic: &Topic, amount: i64) -> i64 {
    write(store, topic, Change::Add(amount.into())).await
}

async fn claim(store: &RedisStore, topic: &Topic) -> Announcement {
    match store.claim(vec![topic.clone()], TERMS).await.remove(0).expect("the store to answer") {
        Claim::Announce(announcement) => announcement,
        other => panic!("expected an announcement, not {other:?}"),
    }
}

/// Claims the changes of a counter and acknowledges them. Returns the value and the revision.
async fn announce(store: &RedisStore, topic: &Topic) -> (i64, u64) {
    let claimed = claim(store, topic).await;
    store.acknowledge(vec![(topic.clone(), claimed.id)]).await.expect("acknowledged");
    (claimed.value(), claimed.id.revision)
}

/// Adds ones to a counter without a mark until it has the direct form.
async fn add_until_direct(store: &RedisStore, topic: &Topic) -> i64 {
    add(store, topic, 1).await;
    add(store, topic, 1).await
}

/// The value and the revision that readers see.
async fn state(store: &RedisStore, topic: &Topic) -> (i64, u64) {
    let reading = store.read(vec![topic.clone()]).await.remove(0).expect("a reading");
    let Body::Number(value) = reading.body else { panic!("expected a number, not {:?}", reading.body) };
    (value, reading.id.revision)
}

async fn marks(store: &RedisStore) -> u64 {
    store.outbox_len().await.expect("a number")
}

#[tokio::test]
async fn a_counter_that_changes_again_has_the_direct_form_while_it_has_a_mark() {
    let redis = Direct::start().await;
    let (store, counter) = (redis.connect(), topic(1));
    let page: Topic = "page-AAAAAAAAAAAAAAAAAAAAAA".parse().expect("a topic");
    assert_eq!((add(&store, &counter, -3).await, add(&store, &page, 1).await), (-3, 1));
    assert!(!redis.is_direct(&counter));
    assert_eq!((add(&store, &counter, 1).await, add(&store, &page, 1).await), (-2, 2));
    assert!(redis.is_direct(&counter) && !redis.is_direct(&page));
    assert_eq!((add(&store, &counter, 1).await, state(&store, &counter).await), (-1, (-1, 3)));
    let claimed = claim(&store, &counter).await;
    assert_eq!((claimed.value(), claimed.id.revision), (-1, 3));
    assert_eq!((add(&store, &counter, 1).await, state(&store, &counter).await), (0, (0, 4)));
    store.acknowledge(vec![(counter.clone(), claimed.id)]).await.expect("acknowledged");
    assert!(redis.is_direct(&counter), "it has changed since the claim");
    assert_eq!(store.top("counter-", 1).await.expect("a ranking"), [(counter.clone(), 0)]);
    assert_eq!(announce(&store, &counter).await, (0, 4));
    assert!(!redis.is_direct(&counter));
    assert_eq!((state(&store, &counter).await, marks(&store).await), ((0, 4), 1), "the page's mark alone");
    assert_eq!((add(&store, &counter, 5).await, marks(&store).await), (5, 2));
    assert!(!redis.is_direct(&counter));
}

#[tokio::test]
async fn ones_are_added_without_a_script() {
    let redis = Direct::start().await;
    let (store, counters) = (redis.connect(), (0..20).map(topic).collect::<Vec<_>>());
    let ones = || counters.iter().map(|counter| Write::add(counter.clone(), 1, None)).collect::<Vec<_>>();
    let add_ones = async || {
        let written = store.write(ones()).await;
        written.into_iter().map(|written| written.expect("counted").value).collect::<Vec<_>>()
    };
    assert_eq!((add_ones().await, add_ones().await), (vec![1; 20], vec![2; 20]));
    let before = redis.scripts();
    for value in 3..=9 {
        assert_eq!(add_ones().await, [value; 20]);
    }
    let many = Sum { total: 5, lowest: 1, highest: 5, changes: 5 };
    assert_eq!(write(&store, &counters[0], Change::Add(many)).await, 14);
    assert_eq!(redis.scripts(), before);
    assert_eq!(state(&store, &counters[0]).await, (14, 14));
    // The store that acknowledges knows that the form has ended.
    announce(&store, &counters[3]).await;
    let before = redis.scripts();
    for scripts in [1, 2, 2] {
        add_ones().await;
        assert_eq!((redis.is_direct(&counters[3]), redis.scripts() - before), (scripts > 1, scripts));
    }
    assert_eq!(state(&store, &counters[3]).await, (12, 12));
}

#[tokio::test]
async fn stores_of_one_process_share_what_they_know() {
    let redis = Direct::start().await;
    let (shared, counter) = (DirectCounters::default(), topic(1));
    let [worker, announcer] = [(); 2].map(|()| redis.connect().with_direct_counters(&shared));
    for store in [&worker, &announcer] {
        store.migrate().await.expect("a migration");
    }
    assert_eq!(add_until_direct(&worker, &counter).await, 2);
    assert_eq!(announce(&announcer, &counter).await, (2, 2));
    assert_eq!(add(&worker, &counter, 1).await, 3);
    // Had the worker sent a command without a script, the key would be there.
    assert!(!redis.is_direct(&counter));
    assert_eq!((add(&announcer, &counter, 1).await, redis.is_direct(&counter)), (4, true));
    let before = redis.scripts();
    assert_eq!((add(&worker, &counter, 1).await, redis.scripts()), (5, before));
}

#[tokio::test]
async fn ones_that_come_when_the_form_has_ended_are_counted_and_marked() {
    let redis = Direct::start().await;
    let (store, other) = (redis.connect(), redis.connect());
    let counters: Vec<Topic> = (0..5).map(topic).collect();
    for round in 0..4_i64 {
        for counter in &counters {
            assert_eq!(add_until_direct(&store, counter).await, 5 * round + 2);
            assert!(redis.is_direct(counter));
            assert_eq!(announce(&other, counter).await, (5 * round + 2, (5 * round + 2).unsigned_abs()));
            assert!(!redis.is_direct(counter));
        }
        assert_eq!(marks(&store).await, 0);
        // The store does not know that the form has ended, and sends many ones at once.
        let ones = |counter: &Topic| vec![Write::add(counter.clone(), 1, None); 3];
        let written = store.write(counters.iter().flat_map(ones).collect()).await;
        let values: Vec<i64> = written.into_iter().map(|written| written.expect("counted").value).collect();
        let expected: Vec<i64> = counters.iter().flat_map(|_| 5 * round + 3..=5 * round + 5).collect();
        assert_eq!((values, marks(&store).await), (expected, 5));
        for counter in &counters {
            assert!(redis.is_direct(counter), "it has it again");
            let state = (5 * round + 5, (5 * round + 5).unsigned_abs());
            assert_eq!(announce(&store, counter).await, state);
        }
    }
}

#[tokio::test]
async fn changes_that_are_no_ones_end_the_form() {
    let redis = Direct::start().await;
    let (store, counter) = (redis.connect(), topic(1));
    let (mut value, mut revision) = (0, 0);
    for amount in [5, 1, -1, 1, 7, 1, 1, -30, 1] {
        value += amount;
        revision += 1;
        assert_eq!(add(&store, &counter, amount).await, value);
        assert_eq!(state(&store, &counter).await, (value, revision), "behind {amount}");
    }
    assert_eq!((announce(&store, &counter).await, marks(&store).await), ((value, revision), 0));
    // A key, a claim, and a value that is set, each on a counter that has the form.
    for change in 0..3 {
        add_until_direct(&store, &counter).await;
        add(&store, &counter, 1).await;
        assert!(redis.is_direct(&counter));
        (value, revision) = (value + 3, revision + 4);
        let write = match change {
            0 => Write::add(counter.clone(), 1, Some("a".parse().expect("a key"))),
            1 => Write { claim: Some(LONGEST_LEASE), ..Write::add(counter.clone(), 1, None) },
            _ => Write::new(counter.clone(), Change::Set(41)),
        };
        value = if change < 2 { value + 1 } else { 41 };
        let written = store.write(vec![write]).await.remove(0).expect("done");
        assert!(!redis.is_direct(&counter));
        assert_eq!(state(&store, &counter).await, (value, revision));
        match written.claimed {
            Some(claimed) => {
                assert_eq!((claimed.value(), claimed.id.revision), (value, revision));
                store.acknowledge(vec![(counter.clone(), claimed.id)]).await.expect("acknowledged");
            }
            None => assert_eq!(announce(&store, &counter).await, (value, revision)),
        }
        assert_eq!((marks(&store).await, state(&store, &counter).await), (0, (value, revision)));
    }
}

#[tokio::test]
async fn a_repeated_key_is_answered_with_the_present_value() {
    let redis = Direct::start().await;
    let (store, counter) = (redis.connect(), topic(1));
    let once = Once { replay: Replay::Present, ..Once::from("a".parse::<IdempotencyKey>().expect("a key")) };
    let keyed = Write { once: Some(once), ..Write::add(counter.clone(), 1, None) };
    let mut values = Vec::new();
    for _ in 0..2 {
        values.push(store.write(vec![keyed.clone()]).await.remove(0).expect("done").value);
        values.push(add_until_direct(&store, &counter).await);
        assert!(redis.is_direct(&counter));
    }
    assert_eq!(values, [1, 3, 3, 5]);
}

#[tokio::test]
async fn changes_of_one_counter_in_one_batch_stay_in_their_order() {
    let redis = Direct::start().await;
    let (store, counter) = (redis.connect(), topic(1));
    assert_eq!(add_until_direct(&store, &counter).await, 2);
    let amounts = [1, -5, 1, 1, 3];
    let written = store.write(amounts.map(|amount| Write::add(counter.clone(), amount, None)).to_vec()).await;
    let values: Vec<i64> = written.into_iter().map(|written| written.expect("counted").value).collect();
    assert_eq!((values, state(&store, &counter).await), (vec![3, -2, -1, 0, 3], (3, 7)));
}

#[tokio::test]
async fn ones_for_a_counter_that_was_deleted_create_it_again() {
    let redis = Direct::start().await;
    let (store, other, counter) = (redis.connect(), redis.connect(), topic(1));
    for acknowledged in [false, true] {
        add_until_direct(&store, &counter).await;
        let revision = state(&store, &counter).await.1;
        write(&other, &counter, Change::Delete).await;
        assert!(!redis.is_direct(&counter));
        if acknowledged {
            let deletion = claim(&other, &counter).await;
            assert_eq!((&deletion.body, deletion.id.revision), (&Body::Gone, revision + 1));
            other.acknowledge(vec![(counter.clone(), deletion.id)]).await.expect("acknowledged");
        }
        let written = try_write(&store, &counter, Change::Add(1.into())).await.expect("counted");
        assert_eq!((written.value, written.created), (1, true));
        assert_eq!((state(&store, &counter).await, marks(&store).await), ((1, revision + 2), 1));
    }
}

#[tokio::test]
async fn a_counter_of_which_redis_has_lost_one_key_goes_on() {
    let redis = Direct::start().await;
    let (store, counter) = (redis.connect(), topic(1));
    add_until_direct(&store, &counter).await;
    assert_eq!(add(&store, &counter, 1).await, 3);
    redis.0.cli(&["DEL", &number(&counter)]);
    assert_eq!(state(&store, &counter).await, (2, 2), "the value with which it got the form");
    assert_eq!((add(&store, &counter, 1).await, state(&store, &counter).await), (3, (3, 3)));
    for foreign in [["SET", "word"], ["RPUSH", "list"]] {
        assert!(redis.is_direct(&counter));
        let value = state(&store, &counter).await.0;
        redis.0.cli(&["DEL", &number(&counter)]);
        redis.0.cli(&[foreign[0], &number(&counter), foreign[1]]);
        assert_eq!(add(&store, &counter, 1).await, value + 1);
    }
    redis.0.cli(&["DEL", &hash(&counter)]);
    // Nothing is left of the counter, but its other key. The announcer finds out.
    add(&store, &counter, 1).await;
    let claimed = store.claim(vec![counter.clone()], TERMS).await.remove(0).expect("an answer");
    assert_eq!(claimed, Claim::Nothing);
    let written = try_write(&store, &counter, Change::Add(1.into())).await.expect("counted");
    assert_eq!((written.value, written.created, state(&store, &counter).await), (1, true, (1, 1)));
}

#[tokio::test]
async fn a_counter_that_redis_has_lost_begins_anew_for_all() {
    let redis = Direct::start().await;
    let (store, other, counter) = (redis.connect(), redis.connect(), topic(1));
    for change in [Change::Add(1.into()), Change::Set(1)] {
        add_until_direct(&store, &counter).await;
        add(&store, &counter, 1).await;
        redis.0.cli(&["DEL", &hash(&counter)]);
        assert!(try_write(&other, &counter, change).await.expect("done").created);
        announce(&other, &counter).await;
        // The store takes the counter for direct, and its other key was left.
        assert_eq!((add(&store, &counter, 1).await, marks(&store).await), (2, 1));
        assert_eq!(announce(&store, &counter).await, (2, 2));
        write(&store, &counter, Change::Delete).await;
    }
}

#[tokio::test]
async fn no_id_comes_twice_when_redis_has_lost_the_key_of_a_value() {
    let redis = Direct::start().await;
    let (store, counter) = (redis.connect(), topic(1));
    add_until_direct(&store, &counter).await;
    for value in 3..=5 {
        assert_eq!(add(&store, &counter, 1).await, value);
    }
    let before = claim(&store, &counter).await;
    assert_eq!((before.value(), before.id.revision), (5, 5));
    redis.0.cli(&["DEL", &number(&counter)]);
    store.acknowledge(vec![(counter.clone(), before.id)]).await.expect("an answer");
    assert_eq!(marks(&store).await, 1, "the value has gone back");
    for (amount, value) in [(5, 7), (1, 8), (1, 9)] {
        assert_eq!(add(&store, &counter, amount).await, value);
    }
    store.acknowledge(vec![(counter.clone(), before.id)]).await.expect("an answer");
    assert_eq!((state(&store, &counter).await, marks(&store).await), ((9, 5), 1));
    let claimed = claim(&store, &counter).await;
    assert_eq!((claimed.value(), claimed.id.revision), (9, 5));
    assert_ne!(claimed.id.epoch, before.id.epoch);
    // The announcer may be the first who finds out.
    add(&store, &counter, 1).await;
    let before = claim(&store, &counter).await;
    redis.0.cli(&["DEL", &number(&counter)]);
    let claimed = claim(&store, &counter).await;
    assert_ne!((claimed.id.epoch, claimed.value()), (before.id.epoch, before.value()));
    store.acknowledge(vec![(counter.clone(), claimed.id)]).await.expect("acknowledged");
    assert_eq!((state(&store, &counter).await.0, marks(&store).await), (claimed.value(), 0));
}

#[tokio::test]
async fn ones_for_a_deleted_counter_that_must_not_be_new_leave_no_trace() {
    let redis = Direct::start().await;
    let (store, other, counter) = (redis.connect(), redis.connect(), topic(1));
    add_until_direct(&store, &counter).await;
    write(&other, &counter, Change::Delete).await;
    let deletion = claim(&other, &counter).await;
    other.acknowledge(vec![(counter.clone(), deletion.id)]).await.expect("acknowledged");
    let add = Write { may_create: false, ..Write::add(counter.clone(), 1, None) };
    for _ in 0..2 {
        let refused = store.write(vec![add.clone()]).await.remove(0);
        assert!(matches!(refused, Err(WriteError::WouldBeNew)), "{refused:?}");
        assert_eq!(redis.0.cli(&["EXISTS", &hash(&counter), &number(&counter)]), "0");
    }
}

#[tokio::test]
async fn a_value_that_is_too_far_from_zero_does_not_get_the_form() {
    let redis = Direct::start().await;
    let (store, counter) = (redis.connect(), topic(1));
    for (value, is_direct) in [(FARTHEST - 2, true), (FARTHEST - 1, false), (-FARTHEST - 2, true)] {
        write(&store, &counter, Change::Set(value)).await;
        let revision = announce(&store, &counter).await.1;
        assert_eq!(add_until_direct(&store, &counter).await, value + 2);
        assert_eq!(redis.is_direct(&counter), is_direct);
        assert_eq!(add(&store, &counter, 1).await, value + 3);
        assert_eq!(state(&store, &counter).await, (value + 3, revision + 3));
        assert_eq!(announce(&store, &counter).await, (value + 3, revision + 3));
    }
    write(&store, &counter, Change::Set((1 << 53) - 2)).await;
    assert_eq!(add(&store, &counter, 1).await, (1 << 53) - 1);
    let refused = try_write(&store, &counter, Change::Add(1.into())).await;
    assert!(matches!(refused, Err(WriteError::OutOfRange)), "{refused:?}");
}

#[tokio::test]
async fn a_process_that_has_not_learned_of_the_raise_counts_right() {
    let redis = Direct::start().await;
    let (before, store) = (redis.connect_before_the_raise().await, redis.connect());
    let counters: Vec<Topic> = (0..6).map(topic).collect();
    let adds = || counters.iter().map(|counter| Write::add(counter.clone(), 1, None)).collect::<Vec<_>>();
    let orders = [[&before, &before, &store], [&store, &store, &before], [&before, &store, &before]];
    for (round, stores) in (0..).zip(orders) {
        for (store, value) in stores.into_iter().zip(3 * round + 1..) {
            for (counter, written) in counters.iter().zip(store.write(adds()).await) {
                assert_eq!(written.expect("counted").value, value);
                assert_eq!(state(&before, counter).await, (value, value.unsigned_abs()));
            }
        }
        for counter in &counters {
            assert_eq!(redis.is_direct(counter), round > 0, "{counter}");
            let value = 3 * round + 3;
            assert_eq!(announce(&before, counter).await, (value, value.unsigned_abs()));
            assert!(!redis.is_direct(counter));
        }
        assert_eq!(marks(&store).await, 0);
    }
}

#[tokio::test]
async fn a_redis_without_memory_counts_no_ones_and_says_so() {
    let redis = Direct::start().await;
    let (store, counter) = (redis.connect(), topic(1));
    assert_eq!(add_until_direct(&store, &counter).await, 2);
    redis.0.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    match try_write(&store, &counter, Change::Add(1.into())).await {
        Err(WriteError::Unavailable(error)) => assert!(error.is_refusal(), "{error}"),
        other => panic!("expected a refusal, not {other:?}"),
    }
    redis.0.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!((add(&store, &counter, 1).await, state(&store, &counter).await), (3, (3, 3)));
}
