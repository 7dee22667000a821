//! The sets in which Redis keeps the keys of new visitors, and the records of keys beside them.

use std::num::NonZeroU32;
use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::redis::{RedisStore, Wait};
use livecounter::store::{Hit, HitKey, KeySource, Values};

use crate::contract::{eventually, new_key, returned};
use crate::cut::Cut;
use crate::support::redis::{FOLLOWER, RedisServer};

const MINUTE: Duration = Duration::from_secs(60);

fn page() -> Topic {
    "page-0123456789abcdefghijkl".parse().expect("a topic")
}

fn hit(key: &HitKey) -> Hit {
    Hit::new(page(), "site-www.example.com".parse().expect("a topic"), key.clone(), None)
}

/// A key of this period, as a process makes it.
fn key_of(period: &str, number: u32) -> HitKey {
    let key = format!("{period}{number:016}").parse().expect("a key");
    HitKey { key, lifetime: MINUTE, source: KeySource::New }
}

/// The value of the page, and whether the hit is a repetition.
async fn count(store: &RedisStore, key: &HitKey) -> (i64, bool) {
    let written = store.hit(vec![hit(key)]).await.remove(0).page.expect("an answer");
    (written.value, written.replayed)
}

fn connect(url: &str) -> RedisStore {
    RedisStore::connect(url, Duration::from_secs(2)).expect("a good address")
}

fn left(server: &RedisServer, set: &str) -> u64 {
    server.cli(&["PTTL", set]).parse().expect("an end")
}

#[tokio::test]
async fn the_new_keys_of_a_period_are_in_one_set_that_ends() {
    let server = RedisServer::with_port(&[]);
    let store = connect(&server.url());
    let hits = (0..40).map(|number| hit(&key_of("period", number))).collect();
    assert!(store.hit(hits).await.into_iter().all(|answer| !answer.page.expect("counted").replayed));
    let set = "lc:{b0}:w:period";
    assert_eq!((server.cli(&["SCARD", set]), server.cli(&["KEYS", "lc:*:i:*"])), ("40".into(), "".into()));
    let sets_of = |server: &RedisServer| server.cli(&["KEYS", "lc:*:w:*"]).lines().count();
    assert_eq!(sets_of(&server), 1);
    let first = left(&server, set);
    assert!(first > 50_000 && first <= 67_500, "{first}");
    // A key that comes late makes the set stay longer, as it must be remembered for a minute, too.
    for command in [["PEXPIRE", set, "30000"].as_slice(), &["PERSIST", set]] {
        server.cli(command);
        assert!(!count(&store, &key_of("period", 40 + command.len() as u32)).await.1);
        let later = left(&server, set);
        assert!(later > 50_000 && later <= 67_500, "{later}");
    }
    // What a client sends adds nothing to the set.
    server.cli(&["PEXPIRE", set, "30000"]);
    assert_eq!(count(&store, &returned(&key_of("period", 99))).await, (43, false));
    assert_eq!(count(&store, &returned(&key_of("period", 39))).await, (43, true));
    assert_eq!((server.cli(&["SCARD", set]), sets_of(&server)), ("42".into(), 1));
    assert!(left(&server, set) <= 30_000);
    assert_eq!(server.cli(&["KEYS", "lc:*:i:*"]).lines().count(), 1);
}

#[tokio::test]
async fn the_key_of_one_page_tells_nothing_about_another() {
    let server = RedisServer::start();
    let store = connect(&server.url());
    let key = new_key();
    assert_eq!(count(&store, &key).await, (1, false));
    let other: Topic = "page-0123456789abcdefghijk_".parse().expect("a topic");
    for is_known in [false, true] {
        let hit = Hit { page: other.clone(), ..hit(&returned(&key)) };
        let written = store.hit(vec![hit]).await.remove(0).page.expect("an answer");
        assert_eq!((written.value, written.replayed), (1, is_known));
    }
    assert_eq!(count(&store, &returned(&key)).await, (1, true));
}

#[tokio::test]
async fn a_visitor_whom_a_version_before_has_recorded_is_known() {
    let server = RedisServer::start();
    let store = connect(&server.url());
    let key = new_key();
    let record = format!("lc:{{b{}}}:i:{}:{}", page().bucket(), page().name(), key.key.as_str());
    server.cli(&["SET", &record, "1 *", "PX", "60000"]);
    assert_eq!(count(&store, &returned(&key)).await, (0, true));
    // The records of that version are those that a client's own key has.
    let own = HitKey { source: KeySource::Client, ..new_key() };
    assert_eq!(count(&store, &own).await, (1, false));
    assert_eq!(count(&store, &returned(&own)).await, (1, true));
}

#[tokio::test]
async fn new_visitors_whose_answer_is_lost_count_once() {
    let server = RedisServer::with_port(&[]);
    let cut = Cut::before(server.port()).await;
    let store = connect(&cut.url());
    // The first call loads the script: otherwise the lost answer would be NOSCRIPT.
    count(&store, &new_key()).await;
    cut.arm();
    let keys = [new_key(), new_key()];
    for answer in store.hit(keys.iter().map(hit).collect()).await {
        let (page, site) = (answer.page.expect("counted"), answer.site.expect("counted"));
        assert_eq!((page.value, page.replayed, site.replayed), (3, false, false), "still to be announced");
    }
    assert_eq!(count(&store, &returned(&keys[1])).await, (3, true));
    // Redis may execute the call whose connection was cut after the call that was sent in its place.
    let late = store.hit(keys.iter().map(hit).collect()).await;
    assert!(late.into_iter().all(|answer| answer.page.expect("an answer").replayed));
    assert_eq!(count(&store, &new_key()).await, (4, false));
}

#[tokio::test]
async fn new_visitors_and_their_repetitions_are_waited_for() {
    let master = RedisServer::with_port(&FOLLOWER);
    let follow = format!("--replicaof 127.0.0.1 {}", master.port());
    let _replica = RedisServer::with_port(&[&FOLLOWER[..], &[&follow]].concat());
    eventually("the replica to follow", async || {
        master.cli(&["INFO", "replication"]).contains("state=online").then_some(())
    })
    .await;
    let waiting = |replicas: u32, within: u64| {
        let wait = Wait {
            replicas: NonZeroU32::new(replicas).expect("some"),
            within: Duration::from_millis(within),
        };
        RedisStore::connect_and_wait(&master.url(), Duration::from_secs(20), wait).expect("a good address")
    };
    let (one, two) = (waiting(1, 15_000), waiting(2, 200));
    let key = new_key();
    assert_eq!(count(&one, &key).await, (1, false));
    for key in [returned(&key), new_key()] {
        let error = two.hit(vec![hit(&key)]).await.remove(0).page.expect_err("there is one replica only");
        assert!(error.to_string().contains("on too few replicas"), "{error}");
    }
    assert_eq!(count(&one, &returned(&key)).await, (2, true));
}
