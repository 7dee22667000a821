//! Feeds in a Redis that starts again, with all that it had answered or with less; in a Cluster; and where another program has used their keys.

use std::time::Duration;

use livecounter::domain::{EventId, GapReason, JsonText, Topic};
use livecounter::store::redis::RedisStore;
use livecounter::store::{
    Announcement, Body, Catalog, Change, Claim, ClaimTerms, Feeds, LONGEST_LEASE, Outbox, Store, Values,
    Write,
};

use crate::contract::eventually;
use crate::support::redis::RedisServer;
use crate::support::redis_cluster::RedisCluster;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };

fn feed() -> Topic {
    "feed-app/chat".parse().expect("a topic")
}

fn connect(url: &str) -> RedisStore {
    RedisStore::connect(url, Duration::from_secs(5)).expect("a URL")
}

fn append(feed: &Topic, number: u64) -> Write {
    let event = JsonText::parse(number.to_string().as_bytes()).expect("JSON");
    Write::new(feed.clone(), Change::Append([event].into()))
}

async fn appended(store: &RedisStore, number: u64) -> EventId {
    let written = store.write(vec![append(&feed(), number)]).await.remove(0).expect("appended");
    written.stamp.expect("a stamp").id
}

async fn claim(store: &RedisStore) -> Announcement {
    match store.claim(vec![feed()], TERMS).await.remove(0) {
        Ok(Claim::Announce(announcement)) => announcement,
        other => panic!("expected an announcement, not {other:?}"),
    }
}

fn texts(announcement: &Announcement) -> Vec<&str> {
    let Body::Events(events) = &announcement.body else { panic!("expected events") };
    events.iter().map(|event| event.data.as_str()).collect()
}

async fn missed(store: &RedisStore, seen: EventId) -> Result<Vec<String>, GapReason> {
    let missed = store.after(&feed(), seen).await.expect("an answer");
    missed.events.map(|events| events.iter().map(|event| event.data.as_str().to_owned()).collect())
}

async fn start_again(server: &mut RedisServer, store: &RedisStore) {
    server.kill();
    server.run();
    eventually("Redis to be found again", async || store.ping().await.ok()).await;
}

#[tokio::test]
async fn listeners_go_on_behind_what_they_have_seen_after_a_restart() {
    let mut server = RedisServer::start_with(&["--appendonly yes", "--appendfsync always"]);
    let store = connect(&server.url());
    let first = appended(&store, 1).await;
    let second = appended(&store, 2).await;
    claim(&store).await;
    let third = appended(&store, 3).await;
    start_again(&mut server, &store).await;
    let fourth = appended(&store, 4).await;
    assert_eq!((third.epoch, fourth.revision), (first.epoch, 4));
    assert_ne!(fourth.epoch, first.epoch, "another master could have given the same revision");
    let announced = claim(&store).await;
    assert_eq!((announced.prev, announced.id, texts(&announced)), (second, fourth, vec!["3", "4"]));
    assert_eq!(missed(&store, first).await, Ok(vec!["2".into(), "3".into(), "4".into()]));
    assert_eq!(missed(&store, third).await, Ok(vec!["4".into()]));
    start_again(&mut server, &store).await;
    appended(&store, 5).await;
    claim(&store).await;
    for (seen, rest) in
        [(third, vec!["4", "5"]), (fourth, vec!["5"]), (EventId::default(), vec!["1", "2", "3", "4", "5"])]
    {
        assert_eq!(missed(&store, seen).await, Ok(rest.into_iter().map(str::to_owned).collect()));
    }
    let unknown = EventId { revision: 4, ..first };
    assert_eq!(missed(&store, unknown).await, Err(GapReason::Unknown), "the epoch had no such event");
}

#[tokio::test]
async fn an_event_that_redis_has_lost_is_told_and_its_id_is_never_given_again() {
    let mut server = RedisServer::start();
    let store = connect(&server.url());
    let first = appended(&store, 1).await;
    claim(&store).await;
    server.cli(&["SAVE"]);
    let lost = appended(&store, 2).await;
    claim(&store).await;
    start_again(&mut server, &store).await;
    assert_eq!(missed(&store, lost).await, Err(GapReason::Unknown));
    let other = appended(&store, 3).await;
    assert_eq!(other.revision, lost.revision);
    assert_ne!(other, lost);
    let announced = claim(&store).await;
    assert_eq!((announced.prev, announced.id), (first, other));
    assert_eq!(missed(&store, lost).await, Err(GapReason::Unknown));
    assert_eq!(missed(&store, first).await, Ok(vec!["3".into()]));
}

#[tokio::test]
async fn a_deletion_never_has_the_id_of_an_event_that_redis_has_lost() {
    let mut server = RedisServer::start();
    let store = connect(&server.url());
    let first = appended(&store, 1).await;
    claim(&store).await;
    server.cli(&["SAVE"]);
    let lost = appended(&store, 2).await;
    claim(&store).await;
    start_again(&mut server, &store).await;
    store.write(vec![Write::new(feed(), Change::Delete)]).await.remove(0).expect("deleted");
    let gone = claim(&store).await;
    assert_eq!((gone.prev, gone.id.revision), (first, lost.revision));
    assert_ne!(gone.id, lost, "a listener that has seen the lost event is told of the deletion");
    assert_eq!(missed(&store, lost).await, Err(GapReason::Unknown));
    let next = appended(&store, 3).await;
    assert_eq!(claim(&store).await.prev, gone.id);
    assert_eq!((next.epoch, missed(&store, gone.id).await), (gone.id.epoch, Ok(vec!["3".into()])));
}

#[tokio::test]
async fn a_cluster_keeps_feeds_and_counts_them() {
    let cluster = RedisCluster::start(3, 0, &[]).await;
    let store = connect(&cluster.url());
    let feeds: Vec<Topic> = (0..40).map(|n| format!("feed-app/{n}").parse().expect("a topic")).collect();
    for number in 0..3 {
        let writes = feeds.iter().map(|feed| append(feed, number)).collect();
        assert!(store.write(writes).await.iter().all(Result::is_ok));
    }
    assert_eq!(store.topic_count().await.expect("a number"), 40);
    for claim in store.claim(feeds.clone(), TERMS).await {
        let Ok(Claim::Announce(announcement)) = claim else { panic!("expected an announcement") };
        assert_eq!(texts(&announcement), ["0", "1", "2"]);
    }
    for feed in &feeds {
        assert_eq!(store.before(feed, None, 9).await.expect("a page").events.len(), 3);
    }
}

#[tokio::test]
async fn a_key_that_holds_something_else_fails_its_own_feed_only() {
    let server = RedisServer::start();
    let store = connect(&server.url());
    let other: Topic = "feed-other".parse().expect("a topic");
    server.cli(&["SET", &format!("lc:{{b{}}}:x:feed-app/chat", feed().bucket()), "text"]);
    let answers = store.write(vec![append(&feed(), 1), append(&other, 2)]).await;
    assert!(answers[0].is_err() && answers[1].is_ok(), "{answers:?}");
    assert_eq!(store.topic_count().await.expect("a number"), 1);
}

#[tokio::test]
async fn a_pruned_feed_leaves_no_key() {
    let server = RedisServer::start();
    let store = connect(&server.url());
    appended(&store, 1).await;
    let announced = claim(&store).await;
    store.acknowledge(vec![(feed(), announced.id)]).await.expect("acknowledged");
    let pruned = store.prune(u64::MAX >> 12, true, |_| {}).await.expect("pruned");
    assert_eq!((pruned.old, store.topic_count().await.expect("a number")), (1, 0));
    let keys = server.cli(&["KEYS", "lc:*feed*"]);
    assert_eq!(keys, "", "{keys}");
    let mut again = appended(&store, 1).await;
    again.epoch = announced.id.epoch;
    assert_eq!(again.revision, 1);
}
