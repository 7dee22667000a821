//! Entities as topics: they are created, announced, listed and deleted.

use std::sync::Arc;

use livecounter::store::{Body, Merge};

use super::documents::{entity, fields, merge, merging, read_fields, shown};
use super::*;

fn living(entity: &Topic, payload: &str, keep: Duration) -> Write {
    let merge = Merge { fields: fields(payload), keep: Some(keep) };
    Write::new(entity.clone(), Change::Merge(Arc::new(merge)))
}

pub(crate) async fn an_entity_is_announced_with_all_its_fields(backend: &dyn Backend) {
    let (store, daily, number) = (backend.store(), entity("daily"), topic("2"));
    merge(&*store, &daily, r#"{"+a":1,"b":"x"}"#).await;
    merge(&*store, &daily, r#"{"+a":1}"#).await;
    bump(&*store, &number, 26).await;
    let first = announcement(&*store, &daily, terms(60_000, 1)).await;
    assert_eq!((shown(&first.body), first.id.revision), (r#"{"a":2,"b":"x"}"#.to_owned(), 2));
    assert_eq!(first.prev, EventId::default());
    assert_eq!(read_one(&*store, &daily).await.published, first.id);
    // No origin acknowledges the claim: the entity is announced again with the same ids.
    let again = eventually("the lease to run out", async || {
        let claims = store.claim(vec![number.clone(), daily.clone()], gate(60_000)).await;
        match claims.into_iter().nth(1)?.expect("an answer") {
            Claim::Announce(announcement) => Some(announcement),
            _ => None,
        }
    });
    assert_eq!(again.await, first);
    acknowledge(&*store, &daily, first.id).await;
    assert_eq!(claim_one(&*store, &daily, ANY_TIME).await, Claim::Nothing);
    merge(&*store, &daily, r#"{"b":null}"#).await;
    assert!(matches!(claim_one(&*store, &daily, ANY_TIME).await, Claim::Wait(_)), "the gate is shut");
    assert_eq!(store.outbox_len().await.expect("a number"), 2);
}

pub(crate) async fn a_deleted_entity_is_gone_and_begins_empty_again(backend: &dyn Backend) {
    for how_far in ["unclaimed", "claimed", "acknowledged"] {
        let (store, daily) = (backend.store(), entity(how_far));
        assert_eq!(add_one(&*store, deletion(&daily)).await.expect("an answer"), Written::default());
        merge(&*store, &daily, r#"{"+a":1,"b":2}"#).await;
        let first = announcement(&*store, &daily, ANY_TIME).await;
        assert!(add_one(&*store, deletion(&daily)).await.expect("deleted").removed);
        let reading = read_one(&*store, &daily).await;
        assert_eq!((reading.body, reading.published), (Body::Gone, first.id));
        if how_far != "unclaimed" {
            let gone = announcement(&*store, &daily, ANY_TIME).await;
            assert_eq!((&gone.body, gone.id, gone.prev), (&Body::Gone, reading.id, first.id));
            if how_far == "acknowledged" {
                acknowledge(&*store, &daily, gone.id).await;
            }
        }
        let again = merge(&*store, &daily, r#"{"+a":1}"#).await;
        assert!(again.created, "{again:?}");
        assert_eq!(again.stamp.expect("a stamp").id.revision, reading.id.revision + 1);
        assert_eq!(read_fields(&*store, &daily).await, r#"{"a":1}"#);
        assert_eq!(shown(&announcement(&*store, &daily, ANY_TIME).await.body), r#"{"a":1}"#);
    }
}

pub(crate) async fn an_entity_that_must_not_be_new_is_not_created(backend: &dyn Backend) {
    let (store, daily) = (backend.store(), entity("daily"));
    let known = |payload: &str| Write { may_create: false, ..merging(&daily, payload) };
    for _ in 0..2 {
        let refused = add_one(&*store, known(r#"{"a":1}"#)).await;
        assert!(matches!(refused, Err(WriteError::WouldBeNew)), "{refused:?}");
        assert_eq!(read_one(&*store, &daily).await.body, Body::Gone);
        merge(&*store, &daily, r#"{"b":1}"#).await;
        assert!(!add_one(&*store, known(r#"{"a":1}"#)).await.expect("merged").created);
        assert_eq!(read_fields(&*store, &daily).await, r#"{"a":1,"b":1}"#);
        add_one(&*store, deletion(&daily)).await.expect("deleted");
    }
}

pub(crate) async fn entities_are_listed_and_counted_among_numbers(backend: &dyn Backend) {
    let store = backend.store();
    let days: Vec<Topic> = (0..25).map(|day| entity(&format!("daily/{day:02}"))).collect();
    let mut writes: Vec<_> = days.iter().map(|day| merging(day, r#"{"+views":7}"#)).collect();
    writes.insert(3, amount(&topic("2"), 26));
    let answers = store.write(writes).await;
    let values: Vec<i64> = answers.into_iter().map(|answer| answer.expect("written").value).collect();
    assert_eq!(values.iter().position(|value| *value == 26), Some(3));
    add_one(&*store, deletion(&days[4])).await.expect("deleted");
    assert_eq!(store.topic_count().await.expect("a number"), 25);
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = store.list("entity-analytics/daily/", after.as_ref(), 10).await.expect("a list");
        for (topic, reading) in &page {
            assert_eq!(shown(&reading.body), r#"{"views":7}"#);
            names.push(topic.name().to_owned());
        }
        after = page.last().map(|(topic, _)| topic.clone());
        if page.len() < 10 {
            break;
        }
    }
    let expected = days.iter().enumerate().filter(|(day, _)| *day != 4).map(|(_, day)| day.name());
    assert_eq!(names, expected.collect::<Vec<_>>());
    let mixed = store.read(vec![days[0].clone(), topic("2"), days[4].clone(), days[1].clone()]).await;
    let bodies: Vec<_> = mixed.into_iter().map(|reading| reading.expect("a reading").body).collect();
    assert_eq!((&bodies[1], &bodies[2]), (&Body::Number(26), &Body::Gone));
    assert_eq!((shown(&bodies[0]), shown(&bodies[3])), (r#"{"views":7}"#.into(), r#"{"views":7}"#.into()));
}

pub(crate) async fn an_entity_is_deleted_when_its_life_is_over(backend: &dyn Backend) {
    let store = backend.store();
    let (short, long, prolonged) = (entity("short"), entity("long"), entity("prolonged"));
    const MOMENT: Duration = Duration::from_millis(1);
    add_one(&*store, living(&prolonged, r#"{"a":1}"#, MOMENT)).await.expect("merged");
    add_one(&*store, living(&prolonged, r#"{"a":1}"#, LONG)).await.expect("merged");
    add_one(&*store, living(&long, r#"{"a":1}"#, LONG)).await.expect("merged");
    add_one(&*store, living(&short, r#"{"a":1}"#, MOMENT)).await.expect("merged");
    // A merge without a life leaves the end as it is.
    add_one(&*store, merging(&short, r#"{"b":1}"#)).await.expect("merged");
    for topic in [&short, &long, &prolonged] {
        if let Claim::Announce(claimed) = claim_one(&*store, topic, ANY_TIME).await {
            acknowledge(&*store, topic, claimed.id).await;
        }
    }
    eventually("the life to end", async || {
        let overdue = store.overdue(10, MOMENT).await.expect("the store to answer");
        overdue.contains(&short).then_some(())
    })
    .await;
    assert_eq!(read_one(&*store, &short).await.body, Body::Gone);
    assert_eq!(announcement(&*store, &short, ANY_TIME).await.body, Body::Gone);
    for alive in [&long, &prolonged] {
        assert_eq!(read_fields(&*store, alive).await, r#"{"a":1}"#);
    }
    assert_eq!(store.topic_count().await.expect("a number"), 2);
    // A new entity of the same key has no life.
    merge(&*store, &short, r#"{"c":1}"#).await;
    tokio::time::sleep(MOMENT).await;
    store.overdue(10, MOMENT).await.expect("the store to answer");
    assert_eq!(read_fields(&*store, &short).await, r#"{"c":1}"#);
}
