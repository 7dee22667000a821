//! A Redis that is away, restarts, does not answer or loses its data: the store returns no wrong value, and recovers by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{
    Announcement, Claim, ClaimTerms, Hit, KeySource, LONGEST_LEASE, Outbox, Store, Values, Write, WriteError,
};
use tokio::time::MissedTickBehavior;

use crate::contract::eventually;
use crate::cut::Cut;
use crate::support::redis::RedisServer;

fn topic() -> Topic {
    "counter-outage".parse().expect("a topic")
}

fn connect(url: &str) -> RedisStore {
    RedisStore::connect(url, Duration::from_millis(500)).expect("a good address")
}

async fn bump(store: &RedisStore) -> Result<i64, WriteError> {
    store.write(vec![Write::add(topic(), 1, None)]).await.remove(0).map(|added| added.value)
}

async fn value(store: &RedisStore) -> i64 {
    store.read(vec![topic()]).await.remove(0).expect("a reading").value()
}

#[tokio::test]
async fn a_redis_away_at_start_fails_calls_at_once_until_it_comes() {
    let mut server = RedisServer::stopped();
    let store = connect(&server.url());
    let since = Instant::now();
    for _ in 0..50 {
        assert!(matches!(bump(&store).await, Err(WriteError::Unavailable(_))));
    }
    assert!(store.read(vec![topic()]).await.remove(0).is_err());
    assert!(store.ping().await.is_err());
    assert!(store.outbox_len().await.is_err());
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    server.run();
    let since = Instant::now();
    assert_eq!(eventually("Redis to be found", async || bump(&store).await.ok()).await, 1);
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_restarted_redis_is_used_again() {
    let mut server = RedisServer::start();
    let store = connect(&server.url());
    bump(&store).await.expect("counted");
    server.kill();
    assert!(bump(&store).await.is_err());
    server.run();
    assert_eq!(eventually("Redis to be found again", async || bump(&store).await.ok()).await, 1);
}

#[tokio::test]
async fn a_connection_lost_while_idle_costs_no_add() {
    let server = RedisServer::start();
    let store = connect(&server.url());
    for expected in 1..=10 {
        assert_eq!(bump(&store).await.expect("counted at the first attempt"), expected);
        server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        let closed = async || (clients(&server) == 1).then_some(());
        eventually("the connection to be closed", closed).await;
        // The store gets no call meanwhile, but its task sees the end while this one waits. A wait may be over before that task had its turn, so
        // there are two of them.
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..3 {
            pause.tick().await;
        }
    }
}

/// The number of the server's connections, including that of redis-cli.
fn clients(server: &RedisServer) -> usize {
    server.cli(&["CLIENT", "LIST", "TYPE", "normal"]).lines().count()
}

#[tokio::test]
async fn connections_killed_under_load_make_no_wrong_number() {
    let server = RedisServer::start();
    let store = Arc::new(connect(&server.url()));
    let adding = (0..4).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut values = Vec::new();
            for _ in 0..100 {
                values.extend(bump(&store).await);
            }
            values
        })
    });
    let adding: Vec<_> = adding.collect();
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..5 {
        pause.tick().await;
        server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
    let mut values = Vec::new();
    for task in adding {
        values.extend(task.await.expect("no panic"));
    }
    let last = eventually("a reading", async || {
        store.read(vec![topic()]).await.remove(0).ok().map(|reading| reading.value())
    });
    let (answered, last) = (values.len(), last.await);
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), answered, "a value was handed out twice");
    assert!((answered as i64..=400).contains(&last), "{answered} answered, {last} counted");
}

#[tokio::test]
async fn a_plain_add_whose_answer_is_lost_is_not_sent_again() {
    let server = RedisServer::with_port(&[]);
    let cut = Cut::before(server.port()).await;
    let store = connect(&cut.url());
    assert_eq!(bump(&store).await.expect("counted"), 1);
    cut.arm();
    assert!(matches!(bump(&store).await, Err(WriteError::Unavailable(_))));
    assert_eq!(value(&store).await, 2);
    assert_eq!(bump(&store).await.expect("counted"), 3);
}

#[tokio::test]
async fn a_keyed_add_whose_answer_is_lost_is_sent_again_and_counts_once() {
    let server = RedisServer::with_port(&[]);
    let cut = Cut::before(server.port()).await;
    let store = connect(&cut.url());
    let keyed = |amount, key: &str| Write::add(topic(), amount, Some(key.parse().expect("a key")));
    // The first call loads the script: otherwise the lost answer would be NOSCRIPT.
    store.write(vec![keyed(1, "before")]).await.remove(0).expect("counted");
    cut.arm();
    let mut answers = store.write(vec![Write::add(topic(), 1, None), keyed(5, "k")]).await;
    let added = answers.pop().expect("two answers").expect("counted");
    assert_eq!((added.value, added.replayed), (7, false), "still to be announced");
    assert!(matches!(answers.pop().expect("two answers"), Err(WriteError::Unavailable(_))));
    assert_eq!(value(&store).await, 7);
}

#[tokio::test]
async fn hits_whose_answer_is_lost_are_sent_again_and_count_once() {
    let server = RedisServer::with_port(&[]);
    let cut = Cut::before(server.port()).await;
    let store = connect(&cut.url());
    let site: Topic = "site-www.example.com".parse().expect("a topic");
    let hit = |key: &str| Hit {
        page: topic(),
        site: site.clone(),
        key: key.parse().expect("a key"),
        lifetime: Duration::from_secs(60),
        source: KeySource::Client,
        visit: None,
        claim: None,
    };
    // The first call loads the script: otherwise the lost answer would be NOSCRIPT.
    store.hit(vec![hit("before")]).await.remove(0).page.expect("counted");
    cut.arm();
    for answer in store.hit(vec![hit("a"), hit("b")]).await {
        let (page, site) = (answer.page.expect("counted"), answer.site.expect("counted"));
        assert_eq!((page.value, page.replayed, site.replayed), (3, false, false), "still to be announced");
    }
    let values = store.read(vec![topic(), site.clone()]).await;
    assert!(values.into_iter().all(|reading| reading.expect("a reading").value() == 3));
    assert!(store.hit(vec![hit("b")]).await.remove(0).page.expect("an answer").replayed);
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_sent_again() {
    let server = RedisServer::start();
    let store = connect(&server.url());
    for expected in 1..=3 {
        assert_eq!(bump(&store).await.expect("counted"), expected);
        server.cli(&["SCRIPT", "FLUSH"]);
        assert_eq!(value(&store).await, expected);
    }
}

#[tokio::test]
async fn a_silent_redis_times_out() {
    let mut server = RedisServer::start();
    let store = connect(&server.url());
    bump(&store).await.expect("counted");
    server.pause();
    let since = Instant::now();
    assert!(matches!(bump(&store).await, Err(WriteError::Unavailable(_))));
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    server.resume();
    let found = eventually("Redis to answer again", async || bump(&store).await.ok()).await;
    assert_eq!(value(&store).await, found);
}

#[tokio::test]
async fn a_refused_password_is_not_repeated_and_not_final() {
    let server = RedisServer::with_port(&[]);
    let url = format!("redis://:hunter2@127.0.0.1:{}", server.port());
    server.cli(&["CONFIG", "SET", "requirepass", "another"]);
    let store = connect(&url);
    let error = store.ping().await.expect_err("the password is wrong");
    let text = format!("{error} {error:?} {store:?}");
    assert!(!text.contains("hunter2"), "{text}");
    server.cli(&["-a", "another", "CONFIG", "SET", "requirepass", "hunter2"]);
    eventually("the password to be accepted", async || store.ping().await.ok()).await;
}

async fn claim(store: &RedisStore) -> Announcement {
    let terms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };
    match store.claim(vec![topic()], terms).await.remove(0) {
        Ok(Claim::Announce(announcement)) => announcement,
        other => panic!("expected an announcement, not {other:?}"),
    }
}

#[tokio::test]
async fn a_redis_that_starts_again_gives_no_id_a_second_time() {
    let mut server = RedisServer::start_with(&["--appendonly yes", "--appendfsync always"]);
    let store = connect(&server.url());
    bump(&store).await.expect("counted");
    let first = claim(&store).await;
    bump(&store).await.expect("counted");
    let second = claim(&store).await;
    assert_eq!((second.id.epoch, second.prev), (first.id.epoch, first.id));
    server.kill();
    server.run();
    eventually("Redis to be found again", async || store.ping().await.ok()).await;
    // Redis may have lost the writes that it answered just before it ended, and the store cannot know.
    bump(&store).await.expect("counted");
    let third = claim(&store).await;
    assert_eq!((third.value(), third.id.revision, third.prev), (3, 3, second.id));
    assert_ne!(third.id.epoch, first.id.epoch);
    bump(&store).await.expect("counted");
    let fourth = claim(&store).await;
    assert_eq!((fourth.id.epoch, fourth.prev), (third.id.epoch, third.id));
}

#[tokio::test]
async fn an_add_that_claims_gives_no_id_a_second_time_either() {
    let mut server = RedisServer::start_with(&["--appendonly yes", "--appendfsync always"]);
    let store = connect(&server.url());
    let add = async || {
        let claiming = Write { claim: Some(LONGEST_LEASE), ..Write::add(topic(), 1, None) };
        store.write(vec![claiming]).await.remove(0).ok()?.claimed
    };
    let first = add().await.expect("claimed");
    server.kill();
    server.run();
    let second = eventually("Redis to be found again", add).await;
    assert_eq!((second.id.revision, second.prev), (2, first.id));
    assert_ne!(second.id.epoch, first.id.epoch);
    let third = add().await.expect("claimed");
    assert_eq!((third.id.epoch, third.prev), (second.id.epoch, second.id));
}
