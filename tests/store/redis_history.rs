//! A Redis that goes on with another history of its data: a restored copy, a crash that has lost the last writes, a promoted replica. The
//! lost values may have been published, so that no event id may be used again.

use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{Announcement, Claim, ClaimTerms, LONGEST_LEASE, Outbox, Values, Write};

use crate::contract::eventually;
use crate::support::redis::RedisServer;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };

fn topic() -> Topic {
    "counter-a".parse().expect("a topic")
}

fn connect(server: &RedisServer) -> RedisStore {
    RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a good address")
}

async fn add(store: &RedisStore, amount: i64, claim: Option<Duration>) -> Option<Announcement> {
    let add = Write { claim, ..Write::add(topic(), amount, None) };
    store.write(vec![add]).await.remove(0).expect("counted").claimed
}

async fn claim(store: &RedisStore, terms: ClaimTerms) -> Option<Announcement> {
    match store.claim(vec![topic()], terms).await.remove(0).expect("the store to answer") {
        Claim::Announce(announcement) => Some(announcement),
        Claim::Wait(_) | Claim::Nothing => None,
    }
}

/// A server whose copy has the value 1, and the claims before and after the copy.
async fn restored() -> (RedisServer, Announcement, Announcement) {
    let mut server = RedisServer::start();
    let store = connect(&server);
    add(&store, 1, None).await;
    let kept = claim(&store, TERMS).await.expect("a claim");
    assert_eq!(server.cli(&["SAVE"]), "OK");
    add(&store, 1, None).await;
    let forgotten = claim(&store, TERMS).await.expect("a claim");
    server.kill();
    server.run();
    (server, kept, forgotten)
}

#[tokio::test]
async fn a_restored_copy_goes_on_in_a_new_epoch_behind_what_it_remembers() {
    let (server, kept, forgotten) = restored().await;
    let store = connect(&server);
    assert_eq!(store.read(vec![topic()]).await.remove(0).expect("a reading").published, kept.id);
    add(&store, 10, None).await;
    let first = claim(&store, TERMS).await.expect("a claim");
    assert_eq!((first.value(), first.id.revision, first.prev), (11, forgotten.id.revision, kept.id));
    assert_ne!(first.id.epoch, forgotten.id.epoch, "else {} would come back with another value", first.id);
    let reading = store.read(vec![topic()]).await.remove(0).expect("a reading");
    assert_eq!((reading.id, reading.published), (first.id, first.id));
    add(&store, 1, None).await;
    let second = claim(&store, TERMS).await.expect("a claim");
    assert_eq!((second.id.epoch, second.prev), (first.id.epoch, first.id), "once for each history");
}

#[tokio::test]
async fn a_claim_across_histories_is_announced_again_as_it_was() {
    let (server, ..) = restored().await;
    let store = connect(&server);
    add(&store, 10, None).await;
    let first =
        claim(&store, ClaimTerms { lease: Duration::from_millis(1), ..TERMS }).await.expect("a claim");
    let again = eventually("the end of the lease", async || claim(&store, TERMS).await).await;
    assert_eq!(again, first);
    store.acknowledge(vec![(topic(), first.id)]).await.expect("acknowledged");
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
}

#[tokio::test]
async fn additions_that_claim_begin_a_new_epoch_as_well() {
    let (server, kept, forgotten) = restored().await;
    let store = connect(&server);
    let first = add(&store, 10, Some(TERMS.lease)).await.expect("a claim");
    assert_eq!((first.value(), first.prev), (11, kept.id));
    assert_ne!(first.id.epoch, forgotten.id.epoch);
    let second = add(&store, 1, Some(TERMS.lease)).await.expect("a claim");
    assert_eq!((second.id.epoch, second.prev), (first.id.epoch, first.id));
}

#[tokio::test]
async fn a_topic_that_was_first_claimed_after_the_copy_begins_a_new_epoch_too() {
    let mut server = RedisServer::start();
    let store = connect(&server);
    add(&store, 1, None).await;
    assert_eq!(server.cli(&["SAVE"]), "OK");
    let forgotten = claim(&store, TERMS).await.expect("a claim");
    server.kill();
    server.run();
    let first = claim(&connect(&server), TERMS).await.expect("a claim");
    assert_eq!((first.id.revision, first.prev.revision), (forgotten.id.revision, 0));
    assert_ne!(first.id.epoch, forgotten.id.epoch);
}

#[tokio::test]
async fn a_redis_that_says_nothing_of_its_history_serves_as_well() {
    let server = RedisServer::start();
    assert_eq!(server.cli(&["ACL", "SETUSER", "default", "-info"]), "OK");
    let store = connect(&server);
    add(&store, 1, None).await;
    let first = claim(&store, TERMS).await.expect("a claim");
    add(&store, 1, None).await;
    let second = claim(&store, TERMS).await.expect("a claim");
    assert_eq!((second.id.epoch, second.prev), (first.id.epoch, first.id));
}
