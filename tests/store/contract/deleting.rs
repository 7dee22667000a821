//! Setting and deleting.

use futures_util::future::join_all;
use livecounter::domain::{EventId, LIMIT};
use livecounter::store::{Body, KeyUse};

use super::*;

/// Changes, and expects it to have been done.
async fn done(store: &dyn Store, write: Write) -> Written {
    add_one(store, write).await.expect("done")
}

pub(crate) async fn a_set_value_is_announced_like_an_addition(backend: &dyn Backend) {
    let (store, set) = (backend.store(), topic("set"));
    bump(&*store, &set, 5).await;
    let first = announcement(&*store, &set, ANY_TIME).await;
    acknowledge(&*store, &set, first.id).await;
    let written = done(&*store, setting(&set, -7)).await;
    assert_eq!(written, Written { value: -7, ..Written::default() });
    let reading = read_one(&*store, &set).await;
    assert_eq!((reading.body, reading.published), (Body::Number(-7), first.id));
    let second = announcement(&*store, &set, ANY_TIME).await;
    assert_eq!(second, Announcement { body: Body::Number(-7), id: reading.id, prev: first.id });
    assert_eq!(bump(&*store, &set, 1).await, -6);
    // The value that it has already is a change, too: as often as it is asked for.
    let again = Write { claim: Some(LONG), ..setting(&set, -6) };
    let claimed = done(&*store, again).await.claimed.expect("a claim");
    assert_eq!((claimed.value(), claimed.prev), (-6, second.id));
    assert_eq!(claimed.id.revision, second.id.revision + 2);
}

pub(crate) async fn a_set_value_creates_its_topic_if_it_may(backend: &dyn Backend) {
    let (store, new) = (backend.store(), topic("new"));
    let refused = add_one(&*store, Write { may_create: false, ..setting(&new, 3) }).await;
    assert!(matches!(refused, Err(WriteError::WouldBeNew)), "{refused:?}");
    assert_eq!(read_one(&*store, &new).await, Reading::default());
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    assert!(done(&*store, setting(&new, 0)).await.created);
    assert_eq!(read_one(&*store, &new).await.body, Body::Number(0));
    assert!(!done(&*store, Write { may_create: false, ..setting(&new, 4) }).await.created);
    assert_eq!(store.topic_count().await.expect("a number"), 1);
}

pub(crate) async fn a_value_beyond_the_limit_is_not_set(backend: &dyn Backend) {
    let (store, far) = (backend.store(), topic("far"));
    for beyond in [LIMIT + 1, -LIMIT - 1, i64::MAX, i64::MIN] {
        let refused = add_one(&*store, setting(&far, beyond)).await;
        assert!(matches!(refused, Err(WriteError::OutOfRange)), "{refused:?}");
    }
    assert_eq!(read_one(&*store, &far).await, Reading::default());
    for value in [LIMIT, -LIMIT, LIMIT] {
        assert_eq!(done(&*store, setting(&far, value)).await.value, value);
        assert_eq!(read_one(&*store, &far).await.value(), value);
    }
    let beyond = add_one(&*store, amount(&far, 1)).await;
    assert!(matches!(beyond, Err(WriteError::OutOfRange)), "{beyond:?}");
}

pub(crate) async fn a_deletion_is_announced_as_a_change(backend: &dyn Backend) {
    let (store, gone) = (backend.store(), topic("gone"));
    bump(&*store, &gone, 26).await;
    let first = announcement(&*store, &gone, ANY_TIME).await;
    acknowledge(&*store, &gone, first.id).await;
    assert_eq!(done(&*store, deletion(&gone)).await, Written { removed: true, ..Written::default() });
    let reading = read_one(&*store, &gone).await;
    assert_eq!((reading.body.clone(), reading.value(), reading.published), (Body::Gone, 0, first.id));
    assert_eq!(store.outbox_len().await.expect("a number"), 1);
    // No origin acknowledges the claim: the topic is announced again with the same ids.
    let lost = announcement(&*store, &gone, terms(0, 1)).await;
    assert_eq!(lost, Announcement { body: Body::Gone, id: reading.id, prev: first.id });
    let again =
        eventually("the lease to run out", async || match claim_one(&*store, &gone, ANY_TIME).await {
            Claim::Announce(announcement) => Some(announcement),
            _ => None,
        });
    assert_eq!(again.await, lost);
    acknowledge(&*store, &gone, lost.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    assert_eq!(claim_one(&*store, &gone, ANY_TIME).await, Claim::Nothing);
    // For a while, a reader of the last published event is told of the deletion.
    let reading = read_one(&*store, &gone).await;
    assert_eq!(reading, Reading { body: Body::Gone, id: lost.id, published: lost.id });
}

pub(crate) async fn a_deletion_may_claim_itself(backend: &dyn Backend) {
    let (store, gone) = (backend.store(), topic("gone"));
    bump(&*store, &gone, 26).await;
    let first = announcement(&*store, &gone, gate(60_000)).await;
    let deleted = done(&*store, Write { claim: Some(LONG), ..deletion(&gone) }).await;
    let claimed = deleted.claimed.as_ref().expect("a claim");
    assert!(deleted.removed && claimed.body == Body::Gone && claimed.prev == first.id, "{deleted:?}");
    acknowledge(&*store, &gone, claimed.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    let none = done(&*store, Write { claim: Some(LONG), ..deletion(&gone) }).await;
    assert_eq!(none, Written::default());
}

pub(crate) async fn deleting_what_is_not_there_changes_nothing(backend: &dyn Backend) {
    let (store, gone) = (backend.store(), topic("gone"));
    assert_eq!(done(&*store, deletion(&gone)).await, Written::default());
    assert_eq!(read_one(&*store, &gone).await, Reading::default());
    bump(&*store, &gone, 1).await;
    assert!(done(&*store, deletion(&gone)).await.removed);
    for _ in 0..2 {
        let before = read_one(&*store, &gone).await;
        assert_eq!(done(&*store, deletion(&gone)).await, Written::default());
        assert_eq!(read_one(&*store, &gone).await, before);
        if let Claim::Announce(claimed) = claim_one(&*store, &gone, ANY_TIME).await {
            acknowledge(&*store, &gone, claimed.id).await;
        }
    }
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
}

/// How far the announcement of a deletion gets before the topic is created again.
const HOW_FAR: [&str; 3] = ["unclaimed", "claimed", "acknowledged"];

pub(crate) async fn a_topic_created_again_goes_on_with_the_next_revision(backend: &dyn Backend) {
    let store = backend.store();
    for how_far in HOW_FAR {
        for (set, expected) in [(false, 3), (true, 9)] {
            let phoenix = topic(&format!("{how_far}-{set}"));
            bump(&*store, &phoenix, 40).await;
            let mut last = announcement(&*store, &phoenix, ANY_TIME).await;
            done(&*store, deletion(&phoenix)).await;
            let deleted = read_one(&*store, &phoenix).await.id;
            if how_far != "unclaimed" {
                last = announcement(&*store, &phoenix, ANY_TIME).await;
                assert_eq!((last.body, last.id), (Body::Gone, deleted));
            }
            if how_far == "acknowledged" {
                acknowledge(&*store, &phoenix, last.id).await;
            }
            let again = if set { setting(&phoenix, 9) } else { amount(&phoenix, 3) };
            let written = done(&*store, again).await;
            assert_eq!((written.value, written.created), (expected, true), "{phoenix}");
            let reading = read_one(&*store, &phoenix).await;
            let id = EventId { revision: deleted.revision + 1, ..deleted };
            assert_eq!(
                reading,
                Reading { body: Body::Number(expected), id, published: last.id },
                "{phoenix}"
            );
            let next = announcement(&*store, &phoenix, ANY_TIME).await;
            assert_eq!(next, Announcement { body: Body::Number(expected), id, prev: last.id }, "{phoenix}");
            acknowledge(&*store, &phoenix, id).await;
            assert_eq!(bump(&*store, &phoenix, 1).await, expected + 1);
            assert_eq!(announcement(&*store, &phoenix, ANY_TIME).await.prev, id);
        }
    }
    assert_eq!(store.topic_count().await.expect("a number"), 2 * HOW_FAR.len() as u64);
}

pub(crate) async fn an_add_that_must_not_create_leaves_a_deleted_topic_deleted(backend: &dyn Backend) {
    let store = backend.store();
    for how_far in HOW_FAR {
        let gone = topic(how_far);
        bump(&*store, &gone, 1).await;
        done(&*store, deletion(&gone)).await;
        if how_far != "unclaimed" {
            let claimed = announcement(&*store, &gone, ANY_TIME).await;
            if how_far == "acknowledged" {
                acknowledge(&*store, &gone, claimed.id).await;
            }
        }
        let (before, marks) = (read_one(&*store, &gone).await, store.outbox_len().await.expect("a number"));
        for refused in [amount(&gone, 5), setting(&gone, 5), Write { claim: Some(LONG), ..amount(&gone, 5) }]
        {
            let refused = add_one(&*store, Write { may_create: false, ..refused }).await;
            assert!(matches!(refused, Err(WriteError::WouldBeNew)), "{how_far}: {refused:?}");
            assert_eq!(read_one(&*store, &gone).await, before, "{how_far}");
        }
        assert_eq!(store.outbox_len().await.expect("a number"), marks, "{how_far}");
        assert!(done(&*store, amount(&gone, 5)).await.created, "{how_far}");
    }
}

pub(crate) async fn an_older_acknowledgement_leaves_a_topic_created_again_alone(backend: &dyn Backend) {
    let (store, phoenix) = (backend.store(), topic("phoenix"));
    bump(&*store, &phoenix, 1).await;
    done(&*store, deletion(&phoenix)).await;
    let deleted = announcement(&*store, &phoenix, ANY_TIME).await;
    bump(&*store, &phoenix, 2).await;
    acknowledge(&*store, &phoenix, deleted.id).await;
    assert_eq!(read_one(&*store, &phoenix).await.body, Body::Number(2));
    assert_eq!(store.outbox_len().await.expect("a number"), 1);
    let next = announcement(&*store, &phoenix, ANY_TIME).await;
    assert_eq!((next.value(), next.prev), (2, deleted.id));
    acknowledge(&*store, &phoenix, deleted.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 1);
}

pub(crate) async fn setting_and_deleting_with_a_key_happen_once(backend: &dyn Backend) {
    let (store, once) = (backend.store(), topic("once"));
    let with = |write: Write, key: &str| Write {
        once: Some(key.parse::<IdempotencyKey>().expect("a key").into()),
        ..write
    };
    let set = with(setting(&once, 7), "set");
    assert!(done(&*store, set.clone()).await.created);
    bump(&*store, &once, 1).await;
    let again = done(&*store, set.clone()).await;
    assert_eq!(again, Written { value: 7, replayed: true, ..Written::default() });
    assert_eq!(read_one(&*store, &once).await.value(), 8);
    let delete = with(deletion(&once), "delete");
    assert!(done(&*store, delete.clone()).await.removed);
    bump(&*store, &once, 1).await;
    let again = done(&*store, delete).await;
    assert_eq!(again, Written { replayed: true, removed: true, ..Written::default() });
    assert_eq!(read_one(&*store, &once).await.value(), 1);
    // That there was nothing to delete is remembered, too.
    let nothing = with(deletion(&topic("nothing")), "none");
    assert_eq!(done(&*store, nothing.clone()).await, Written::default());
    bump(&*store, &topic("nothing"), 1).await;
    let again = done(&*store, nothing).await;
    assert_eq!(again, Written { replayed: true, ..Written::default() });
    assert_eq!(read_one(&*store, &topic("nothing")).await.value(), 1);
    // Claimed as it is set: the record is the same.
    let claiming = Write { claim: Some(LONG), ..with(setting(&once, 9), "claiming") };
    assert!(done(&*store, claiming.clone()).await.claimed.is_some());
    assert_eq!(done(&*store, claiming).await, Written { value: 9, replayed: true, ..Written::default() });
    let claiming = Write { claim: Some(LONG), ..with(deletion(&once), "claimed") };
    assert!(done(&*store, claiming.clone()).await.claimed.is_some());
    let again = done(&*store, claiming).await;
    assert_eq!(again, Written { replayed: true, removed: true, ..Written::default() });
}

pub(crate) async fn a_key_is_not_for_another_kind_of_change(backend: &dyn Backend) {
    let (store, once) = (backend.store(), topic("once"));
    let with = |write: Write, key: &str| Write {
        once: Some(key.parse::<IdempotencyKey>().expect("a key").into()),
        ..write
    };
    let changes = [amount(&once, 5), setting(&once, 5), deletion(&once)];
    let uses = [KeyUse::Add(5), KeyUse::Set(5), KeyUse::Delete];
    for (first, used) in changes.iter().zip(uses) {
        let key = format!("{used:?}");
        done(&*store, with(first.clone(), &key)).await;
        let before = read_one(&*store, &once).await;
        for other in changes.iter().filter(|other| *other != first) {
            let refused = add_one(&*store, with(other.clone(), &key)).await;
            assert!(matches!(refused, Err(WriteError::KeyReused(known)) if known == used), "{refused:?}");
        }
        assert_eq!(read_one(&*store, &once).await, before);
    }
}

pub(crate) async fn deleted_topics_are_not_counted(backend: &dyn Backend) {
    let (store, topics) = (backend.store(), ["a", "b", "c"].map(topic));
    for topic in &topics {
        bump(&*store, topic, 1).await;
    }
    for (left, topic) in [2, 1, 0].into_iter().zip(&topics) {
        done(&*store, deletion(topic)).await;
        done(&*store, deletion(topic)).await;
        assert_eq!(store.topic_count().await.expect("a number"), left);
        let claimed = announcement(&*store, topic, ANY_TIME).await;
        acknowledge(&*store, topic, claimed.id).await;
        assert_eq!(store.topic_count().await.expect("a number"), left);
    }
    // Both in one batch.
    let both = vec![amount(&topics[0], 1), deletion(&topics[0]), amount(&topics[0], 1)];
    assert!(store.write(both).await.iter().all(Result::is_ok));
    assert_eq!(store.topic_count().await.expect("a number"), 1);
}

pub(crate) async fn a_deletion_among_additions_is_one_step(backend: &dyn Backend) {
    let (store, busy) = (backend.store(), topic("busy"));
    bump(&*store, &busy, 1000).await;
    let writes = (0..40).map(|n| if n == 20 { deletion(&busy) } else { amount(&busy, 1) });
    let mut answers: Vec<_> = join_all(writes.map(|write| add_one(&*store, write))).await;
    assert!(answers.remove(20).expect("done").removed);
    let values: Vec<i64> = answers.into_iter().map(|answer| answer.expect("counted").value).collect();
    let last = read_one(&*store, &busy).await.value();
    let before = values.iter().filter(|value| **value > 1000).count() as i64;
    assert_eq!(last, 39 - before, "{values:?}");
    let mut expected: Vec<i64> = (1..=last).chain(1001..=1000 + before).collect();
    let mut found = values;
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "no value twice, and none left out");
}
