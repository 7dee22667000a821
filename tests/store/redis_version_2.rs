//! Origins of version 2, which know no deletions and keep no names, beside origins of this version. Their scripts are kept here
//! unchanged.

use std::time::Duration;

use livecounter::domain::{FieldChanges, JsonText, Point, Topic, Unit};
use livecounter::store::redis::RedisStore;
use livecounter::store::{
    Announcement, Body, Catalog, Change, Claim, ClaimTerms, LONGEST_LEASE, Outbox, Reading, Values, Write,
    Written,
};

use crate::contract::eventually;
use crate::support::redis::RedisServer;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };

/// An origin of version 2.
struct Before<'a>(&'a RedisServer);

impl Before<'_> {
    fn run(&self, script: &str, topic: &Topic, arguments: &[&str]) -> String {
        let bucket = topic.bucket();
        let hash = format!("lc:{{b{bucket}}}:t:{}", topic.name());
        let outbox = format!("lc:{{b{bucket}}}:o{}", topic.outbox_part());
        self.0.cli(&[&["EVAL", script, "2", &hash, &outbox][..], arguments].concat())
    }

    /// Adds 1.
    fn add(&self, topic: &Topic) -> String {
        let limits = ["-9007199254740991", "9007199254740991"];
        let arguments = ["4711", "2000", "60000", "", "1", "1", limits[0], limits[1], "", ""];
        self.run(include_str!("version_2/add.lua"), topic, &arguments)
    }

    fn claim(&self, topic: &Topic) -> String {
        self.claim_for(topic, "6000")
    }

    /// Claims with a lease of so many milliseconds.
    fn claim_for(&self, topic: &Topic, lease: &str) -> String {
        let arguments = ["0", lease, "4712", "60000", "2000"];
        self.run(include_str!("version_2/claim.lua"), topic, &arguments)
    }

    fn acknowledge(&self, topic: &Topic, claimed: &Announcement) -> String {
        let (epoch, revision) = (claimed.id.epoch.get().to_string(), claimed.id.revision.to_string());
        let arguments = ["2000", "60000", &epoch, &revision];
        self.run(include_str!("version_2/acknowledge.lua"), topic, &arguments)
    }
}

fn topic(id: u32) -> Topic {
    format!("counter-{id}").parse().expect("a topic")
}

fn connect(server: &RedisServer) -> RedisStore {
    RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a good address")
}

async fn write(store: &RedisStore, topic: &Topic, change: Change) -> Written {
    store.write(vec![Write::new(topic.clone(), change)]).await.remove(0).expect("done")
}

async fn read(store: &RedisStore, topic: &Topic) -> Reading {
    store.read(vec![topic.clone()]).await.remove(0).expect("a reading")
}

async fn claim(store: &RedisStore, topic: &Topic) -> Announcement {
    match store.claim(vec![topic.clone()], TERMS).await.remove(0).expect("the store to answer") {
        Claim::Announce(announcement) => announcement,
        other => panic!("expected an announcement, not {other:?}"),
    }
}

async fn listed(store: &RedisStore) -> Vec<String> {
    let listed = store.list("", None, 100).await.expect("a list");
    listed.into_iter().map(|(topic, _)| topic.name().to_owned()).collect()
}

#[tokio::test]
async fn topics_of_version_2_are_named_by_a_migration() {
    let server = RedisServer::start();
    let before = Before(&server);
    server.cli(&["SET", "lc:{b0}:schema", "2"]);
    for n in 1..=3 {
        before.add(&topic(n));
    }
    let store = connect(&server);
    assert_eq!((listed(&store).await.len(), store.topic_count().await.expect("a number")), (0, 3));
    assert_eq!(store.migrate().await.expect("a migration"), 3);
    assert_eq!(listed(&store).await, ["counter-1", "counter-2", "counter-3"]);
    assert_eq!(store.topic_count().await.expect("a number"), 3, "no topic is counted twice");
    assert_eq!(server.cli(&["GET", "lc:{b0}:schema"]), "2", "an origin of version 2 may still start");
    assert_eq!(connect(&server).migrate().await.expect("a look"), 0);
    // Another one is created by an origin of version 2 that goes on: the next start of an origin finds it.
    before.add(&topic(4));
    assert_eq!(connect(&server).migrate().await.expect("a migration"), 1);
    assert_eq!(listed(&store).await.len(), 4);
}

#[tokio::test]
async fn a_topic_that_version_2_creates_is_named_when_it_is_claimed() {
    let server = RedisServer::start();
    let (store, before) = (connect(&server), Before(&server));
    before.add(&topic(1));
    assert!(listed(&store).await.is_empty());
    assert_eq!(claim(&store, &topic(1)).await.body, Body::Number(1));
    assert_eq!(listed(&store).await, ["counter-1"]);
    assert_eq!(store.topic_count().await.expect("a number"), 1);
}

#[tokio::test]
async fn a_deletion_is_announced_by_an_origin_of_version_2() {
    let server = RedisServer::start();
    let (store, before, topic) = (connect(&server), Before(&server), topic(1));
    write(&store, &topic, Change::Set(26)).await;
    let first = claim(&store, &topic).await;
    write(&store, &topic, Change::Delete).await;
    let deleted = read(&store, &topic).await.id;
    let (epoch, revision) = (deleted.epoch.get(), deleted.revision);
    let expected = format!("0\n{epoch}\n{revision}\n{}", first.id.revision);
    assert_eq!(before.claim(&topic), expected, "it shows 0");
    let claimed = Announcement { body: Body::Gone, id: deleted, prev: first.id };
    before.acknowledge(&topic, &claimed);
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    assert_eq!(read(&store, &topic).await, Reading { body: Body::Gone, id: deleted, published: deleted });
    assert_eq!(store.topic_count().await.expect("a number"), 0);
    // What it has left behind is a topic again with the next change.
    assert!(write(&store, &topic, Change::Add(5.into())).await.created);
    let next = claim(&store, &topic).await;
    assert_eq!((next.body, next.prev), (Body::Number(5), deleted));
    assert_eq!((listed(&store).await.len(), store.topic_count().await.expect("a number")), (1, 1));
}

#[tokio::test]
async fn a_claim_of_version_2_puts_no_value_into_a_wrong_hour() {
    let server = RedisServer::start();
    let (store, before, topic) = (connect(&server), Before(&server), topic(1));
    write(&store, &topic, Change::Set(5)).await;
    claim(&store, &topic).await;
    let history = async || store.history(&topic, Unit::Hour, 99).await.expect("a history");
    let hour = Unit::Hour.number(history().await.now);
    let hash = format!("lc:{{b{}}}:t:{}", topic.bucket(), topic.name());
    server.cli(&["HSET", &hash, "h", &format!("{}:5", hour - 3)]);
    before.add(&topic);
    assert!(before.claim(&topic).starts_with("6\n"));
    let point = |ago: i64, value| Point { number: hour - ago, value };
    assert_eq!(history().await.points, [point(3, 5)]);
    write(&store, &topic, Change::Add(1.into())).await;
    claim(&store, &topic).await;
    assert_eq!(history().await.points, [point(3, 5), point(0, 7)]);
}

#[tokio::test]
async fn an_add_of_version_2_to_a_deleted_topic_counts() {
    let server = RedisServer::start();
    let (store, before) = (connect(&server), Before(&server));
    for acknowledged in [false, true] {
        let topic = topic(u32::from(acknowledged));
        write(&store, &topic, Change::Set(26)).await;
        write(&store, &topic, Change::Delete).await;
        if acknowledged {
            let deleted = claim(&store, &topic).await;
            store.acknowledge(vec![(topic.clone(), deleted.id)]).await.expect("acknowledged");
        }
        before.add(&topic);
        before.add(&topic);
        assert_eq!(read(&store, &topic).await.body, Body::Number(2));
        assert_eq!(write(&store, &topic, Change::Add(1.into())).await.value, 3);
        let next = claim(&store, &topic).await;
        assert_eq!(next.body, Body::Number(3));
        store.acknowledge(vec![(topic.clone(), next.id)]).await.expect("acknowledged");
        assert_eq!(read(&store, &topic).await.published, next.id);
        assert!(!write(&store, &topic, Change::Add(1.into())).await.created);
        assert!(write(&store, &topic, Change::Delete).await.removed);
        assert_eq!(read(&store, &topic).await.body, Body::Gone);
    }
    assert_eq!((listed(&store).await.len(), store.topic_count().await.expect("a number")), (0, 0));
}

/// A claim of a topic whose last claim has a lease that is over.
async fn claim_again(store: &RedisStore, topic: &Topic) -> Announcement {
    eventually("the lease to run out", async || match claim_of(store, topic).await {
        Claim::Announce(announcement) => Some(announcement),
        _ => None,
    })
    .await
}

async fn claim_of(store: &RedisStore, topic: &Topic) -> Claim {
    store.claim(vec![topic.clone()], TERMS).await.remove(0).expect("the store to answer")
}

#[tokio::test]
async fn an_entity_that_version_2_claims_is_announced_by_a_newer_origin() {
    let server = RedisServer::start();
    let (store, before) = (connect(&server), Before(&server));
    let entity: Topic = "entity-a/k".parse().expect("a topic");
    let merge = |payload: &str| {
        Write::merge(entity.clone(), FieldChanges::parse(payload.as_bytes()).expect("a payload"))
    };
    let fields = |announcement: &Announcement| match &announcement.body {
        Body::Document(document) => document.to_json(),
        other => panic!("expected fields, not {other:?}"),
    };
    assert!(store.write(vec![merge(r#"{"+n":5}"#)]).await[0].is_ok());
    // It takes the number of bytes for the value, and announces that.
    assert!(before.claim_for(&entity, "1").starts_with("2\n"));
    let claimed = claim_again(&store, &entity).await;
    assert_eq!(fields(&claimed), r#"{"n":5}"#);
    // If it acknowledges the claim, too, the next change shows all fields.
    before.acknowledge(&entity, &claimed);
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    assert!(store.write(vec![merge(r#"{"+n":1}"#)]).await[0].is_ok());
    let next = claim(&store, &entity).await;
    assert_eq!((fields(&next), next.prev), (r#"{"n":6}"#.to_owned(), claimed.id));
}

#[tokio::test]
async fn events_that_version_2_claims_are_announced_by_a_newer_origin() {
    let server = RedisServer::start();
    let (store, before) = (connect(&server), Before(&server));
    let feed: Topic = "feed-chat".parse().expect("a topic");
    let append = async |text: &str| {
        let event = JsonText::parse(text.as_bytes()).expect("JSON");
        write(&store, &feed, Change::Append([event].into())).await.stamp.expect("a stamp").id
    };
    let texts = |announcement: &Announcement| match &announcement.body {
        Body::Events(events) => events.iter().map(|event| event.data.as_str().to_owned()).collect::<Vec<_>>(),
        other => panic!("expected events, not {other:?}"),
    };
    let first = append("1").await;
    let announced = claim(&store, &feed).await;
    store.acknowledge(vec![(feed.clone(), announced.id)]).await.expect("acknowledged");
    let second = append("2").await;
    assert!(!before.claim_for(&feed, "1").is_empty());
    let claimed = claim_again(&store, &feed).await;
    assert_eq!((claimed.prev, claimed.id, texts(&claimed)), (first, second, vec!["2".to_owned()]));
    // If it claims and acknowledges, the next claim has the events that it has not shown.
    let third = append("3").await;
    before.claim_for(&feed, "1");
    before.acknowledge(&feed, &Announcement { body: Body::Gone, id: third, prev: second });
    let fourth = append("4").await;
    let claimed = claim(&store, &feed).await;
    assert_eq!((claimed.prev, claimed.id), (second, fourth));
    assert_eq!(texts(&claimed), ["3", "4"]);
}
