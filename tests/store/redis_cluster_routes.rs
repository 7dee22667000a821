//! Entities and feeds in a Redis Cluster whose slots move.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use livecounter::domain::{EventId, FieldChanges, IdempotencyKey, JsonText, Topic};
use livecounter::store::redis::RedisStore;
use livecounter::store::{
    Body, Change, Claim, ClaimTerms, Feeds, LONGEST_LEASE, Once, Outbox, Stamp, Values, Write,
};

use crate::contract::eventually;
use crate::support::redis_cluster::RedisCluster;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };

fn topics() -> [Topic; 2] {
    ["entity-moving/1", "feed-moving"].map(|name| name.parse().expect("a topic"))
}

/// A merge and an event of a round, each with a key.
fn writes(round: u64) -> Vec<Write> {
    let [entity, feed] = topics();
    let payload = format!(r#"{{"+n":1,"+sum":{round},"last":{round}}}"#);
    let merge = Write::merge(entity, FieldChanges::parse(payload.as_bytes()).expect("a payload"));
    let event = JsonText::parse(round.to_string().as_bytes()).expect("JSON");
    let append = Write::new(feed, Change::Append([event].into()));
    let key: IdempotencyKey = format!("k{round}").parse().expect("a key");
    [merge, append].map(|write| Write { once: Some(Once::from(key.clone())), ..write }).into()
}

/// Writes a round. Every write must be taken.
async fn write(store: &RedisStore, round: u64) -> Vec<(Option<Stamp>, bool)> {
    let written = store.write(writes(round)).await.into_iter();
    written.map(|it| it.expect("written")).map(|it| (it.stamp, it.replayed)).collect()
}

/// Claims and acknowledges until the test stops it. Returns the ids, which must form a chain, and the last fields.
async fn announce(store: &RedisStore, topic: Topic, stop: &AtomicBool) -> (Vec<EventId>, Option<String>) {
    let (mut ids, mut fields): (Vec<EventId>, _) = (Vec::new(), None);
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    loop {
        pause.tick().await;
        // What was written before this claim is in it.
        let last = stop.load(Relaxed);
        match store.claim(vec![topic.clone()], TERMS).await.remove(0).expect("the store to answer") {
            Claim::Announce(it) => {
                assert_eq!(it.prev, ids.last().copied().unwrap_or_default());
                store.acknowledge(vec![(topic.clone(), it.id)]).await.expect("acknowledged");
                ids.push(it.id);
                if let Body::Document(document) = &it.body {
                    fields = Some(document.to_json());
                }
            }
            _ if last => return (ids, fields),
            _ => {}
        }
    }
}

#[tokio::test]
async fn merges_and_appends_while_their_slots_move_count_once_each() {
    let cluster = RedisCluster::start(3, 0, &[]).await;
    let connect = || RedisStore::connect(&cluster.url(), Duration::from_secs(2)).expect("a good address");
    let (stop, rounds) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let (store, [entity, feed]) = (connect(), topics());
    let writing = tokio::spawn({
        let (stop, rounds, store) = (Arc::clone(&stop), Arc::clone(&rounds), connect());
        async move {
            while !stop.load(Relaxed) {
                let round = rounds.load(Relaxed) + 1;
                let first = write(&store, round).await;
                let again = write(&store, round).await;
                for ((first, new), (again, known)) in first.into_iter().zip(again) {
                    assert_eq!((first, new, known), (again, false, true), "round {round}");
                }
                rounds.store(round, Relaxed);
            }
        }
    });
    let announcing = topics().map(|topic| {
        let (stop, store) = (Arc::clone(&stop), connect());
        tokio::spawn(async move { announce(&store, topic, &stop).await })
    });
    let more = async |count: u64| {
        let from = rounds.load(Relaxed);
        eventually("more rounds", async || (rounds.load(Relaxed) >= from + count).then_some(())).await;
    };
    more(5).await;
    for topic in topics() {
        let slot = cluster.slot(&topic);
        let to = (cluster.owner(slot).expect("an owner") + 1) % 3;
        // While the keys of a script are on two nodes, Redis answers TRYAGAIN.
        cluster.move_slot(slot, to, 6, async || tokio::time::sleep(Duration::from_millis(10)).await).await;
        more(5).await;
    }
    stop.store(true, Relaxed);
    writing.await.expect("no write has failed");
    let rounds = rounds.load(Relaxed);
    let [of_entity, of_feed] = announcing;
    let expected = format!(r#"{{"last":{rounds},"n":{rounds},"sum":{}}}"#, rounds * (rounds + 1) / 2);
    let (ids, fields) = of_entity.await.expect("an announcer");
    let entity = store.read(vec![entity]).await.remove(0).expect("a reading");
    let Body::Document(document) = &entity.body else { panic!("expected fields, not {entity:?}") };
    assert_eq!((document.to_json(), fields), (expected.clone(), Some(expected)));
    assert_eq!((entity.id.revision, ids.last()), (rounds, Some(&entity.id)));
    let (ids, _) = of_feed.await.expect("an announcer");
    let missed = store.after(&feed, EventId::default()).await.expect("an answer");
    let events = missed.events.expect("no gap");
    let texts: Vec<String> = events.iter().map(|event| event.data.as_str().to_owned()).collect();
    assert_eq!(texts, (1..=rounds).map(|round| round.to_string()).collect::<Vec<_>>());
    assert_eq!(ids.last(), Some(&missed.published));
}
