//! Values of other programs in the store's keys: only the item with such a key fails, the others of its batch do not.

use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::{Claim, ClaimTerms, Hit, HitWritten, KeySource, Write, WriteError};

use crate::contract::{Backend, eventually};
use crate::support::redis::RedisServer;

fn topic(name: &str) -> Topic {
    name.parse().expect("a topic")
}

#[tokio::test]
async fn foreign_names_and_foreign_outboxes_keep_no_sweep_from_the_others() {
    let server = RedisServer::start();
    let store = server.store();
    let added = store.write(vec![Write::add(topic("counter-a"), 1, None)]).await;
    assert_eq!(added[0].as_ref().expect("counted").value, 1);
    let outbox = server.cli(&["--scan", "--pattern", "lc:*:o?"]);
    server.cli(&["ZADD", &outbox, "1", "not a topic"]);
    server.cli(&["SET", "lc:{b0}:o0", "no outbox"]);
    assert_ne!(outbox, "lc:{b0}:o0", "the topic is in another");
    let overdue = eventually("the mark to be overdue", async || {
        let topics = store.overdue(10, Duration::from_millis(1)).await.expect("a sweep");
        (!topics.is_empty()).then_some(topics)
    });
    assert_eq!(overdue.await, [topic("counter-a")]);
}

#[tokio::test]
async fn a_foreign_key_instead_of_a_topic_or_its_value_fails_that_topic_alone() {
    let server = RedisServer::start();
    let store = server.store();
    let names = ["counter-a", "counter-text", "counter-b", "counter-value", "counter-c"];
    let adds = |key: Option<&str>| {
        let key = key.map(|key| key.parse().expect("a key"));
        names.iter().map(|name| Write::add(topic(name), 1, key.clone())).collect::<Vec<_>>()
    };
    assert!(store.write(adds(None)).await.iter().all(Result::is_ok));
    let key = |name: &str| server.cli(&["--scan", "--pattern", &format!("*:{name}")]);
    server.cli(&["SET", &key("counter-text"), "no hash"]);
    server.cli(&["HSET", &key("counter-value"), "v", "no number"]);
    for (round, key) in [(2, None), (3, Some("k"))] {
        let values = store.write(adds(key)).await.into_iter().map(|added| match added {
            Ok(added) => Some(added.value),
            Err(WriteError::Unavailable(_)) => None,
            Err(error) => panic!("{error}"),
        });
        assert_eq!(values.collect::<Vec<_>>(), [Some(round), None, Some(round), None, Some(round)]);
    }
    let topics = names.map(topic).to_vec();
    let read = store.read(topics.clone()).await.into_iter().map(|reading| reading.ok().map(|it| it.value()));
    assert_eq!(read.collect::<Vec<_>>(), [Some(3), None, Some(3), None, Some(3)]);
    let terms = ClaimTerms { interval: Duration::ZERO, lease: Duration::from_secs(6) };
    let claimed = store.claim(topics, terms).await.into_iter().map(|claim| match claim {
        Ok(Claim::Announce(announcement)) => Some(announcement.value()),
        Ok(claim) => panic!("{claim:?}"),
        Err(_) => None,
    });
    assert_eq!(claimed.collect::<Vec<_>>(), [Some(3), None, Some(3), None, Some(3)]);
}

#[tokio::test]
async fn a_foreign_key_instead_of_a_page_or_a_site_fails_its_hits_alone() {
    let server = RedisServer::start();
    let store = server.store();
    let hit = |page: &str, site: &str| Hit {
        page: topic(page),
        site: topic(site),
        key: "visitor".parse().expect("a key"),
        lifetime: Duration::from_secs(60),
        source: KeySource::Client,
        visit: None,
        claim: None,
    };
    let hits = || {
        vec![
            hit("page-a", "site-a"),
            hit("page-b", "site-b"),
            hit("page-c", "site-c"),
            hit("page-d", "site-a"),
        ]
    };
    for name in ["page-b", "site-c"] {
        server.cli(&["SET", &format!("lc:{{b{}}}:t:{name}", topic(name).bucket()), "no hash"]);
    }
    let is_counted = |answer: HitWritten| (answer.page.is_ok(), answer.site.is_ok());
    let counted: Vec<_> = store.hit(hits()).await.into_iter().map(is_counted).collect();
    assert_eq!(counted, [(true, true), (false, false), (true, false), (true, true)]);
    // The page that was not counted has not used up the key.
    server.cli(&["DEL", &format!("lc:{{b{}}}:t:page-b", topic("page-b").bucket())]);
    let replayed = store.hit(hits()).await.into_iter().map(|answer| answer.page.expect("an answer").replayed);
    assert_eq!(replayed.collect::<Vec<_>>(), [true, false, true, true]);
    assert_eq!(store.read(vec![topic("site-a")]).await.remove(0).expect("a reading").value(), 2);
}
