//! Values, ranges and idempotency keys.

use futures_util::future::join_all;
use livecounter::domain::{Epoch, LIMIT};
use livecounter::store::{KeyUse, Reading, Sum, Write, WriteError};

use super::*;

pub(crate) async fn a_topic_never_changed_reads_zero(backend: &dyn Backend) {
    assert_eq!(read_one(&*backend.store(), &topic("new")).await, Reading::default());
}

pub(crate) async fn concurrent_adds_hand_out_every_value_once(backend: &dyn Backend) {
    let hot = topic("hot");
    let callers = (0..8).map(|_| {
        let (store, hot) = (backend.store(), hot.clone());
        tokio::spawn(async move {
            let mut values = Vec::new();
            for _ in 0..25 {
                let answers = store.write(vec![amount(&hot, 1); 4]).await;
                values.extend(answers.into_iter().map(|answer| answer.expect("counted").value));
            }
            values
        })
    });
    let mut values: Vec<i64> =
        join_all(callers).await.into_iter().flat_map(|values| values.expect("a caller")).collect();
    values.sort_unstable();
    assert_eq!(values, (1..=800).collect::<Vec<_>>());
    let reading = read_one(&*backend.store(), &hot).await;
    assert_eq!((reading.value(), reading.id.revision), (800, 800));
    assert_ne!(reading.id.epoch, Epoch::NONE);
}

pub(crate) async fn items_of_a_batch_are_taken_in_order(backend: &dyn Backend) {
    let (a, b) = (topic("a"), topic("b"));
    let adds = [(&a, 1), (&b, 10), (&a, 2), (&a, -5), (&b, 7)].map(|(topic, by)| amount(topic, by));
    let values = values(backend.store().write(adds.to_vec()).await);
    assert_eq!(values, [1, 10, 3, -2, 17]);
    assert_eq!(read_one(&*backend.store(), &a).await.id.revision, 3);
}

pub(crate) async fn a_batch_of_ten_thousand_topics_is_answered_in_order(backend: &dyn Backend) {
    let store = backend.store();
    let topics: Vec<_> = (0..10_000).map(|n| topic(&n.to_string())).collect();
    let adds = topics.iter().zip(1..).map(|(topic, by)| amount(topic, by)).collect();
    assert_eq!(values(store.write(adds).await), (1..=10_000).collect::<Vec<_>>());
    let readings = store.read(topics).await;
    let read: Vec<_> = readings.into_iter().map(|reading| reading.expect("a reading").value()).collect();
    assert_eq!(read, (1..=10_000).collect::<Vec<_>>());
    assert_eq!(store.outbox_len().await.expect("a number"), 10_000);
}

pub(crate) async fn an_empty_batch_is_answered_with_nothing(backend: &dyn Backend) {
    let store = backend.store();
    assert!(store.write(Vec::new()).await.is_empty());
    assert!(store.read(Vec::new()).await.is_empty());
    assert!(store.claim(Vec::new(), ANY_TIME).await.is_empty());
    store.acknowledge(Vec::new()).await.expect("nothing to acknowledge");
}

pub(crate) async fn a_step_beyond_the_limit_changes_nothing(backend: &dyn Backend) {
    let store = backend.store();
    for (id, limit, step) in [("top", LIMIT, 1), ("bottom", -LIMIT, -1), ("far", LIMIT, LIMIT)] {
        let topic = topic(id);
        bump(&*store, &topic, limit).await;
        let before = read_one(&*store, &topic).await;
        let answers =
            store.write(vec![amount(&topic, step), amount(&topic, -step), amount(&topic, step)]).await;
        assert!(matches!(answers[0], Err(WriteError::OutOfRange)), "{id}: {answers:?}");
        assert_eq!(answers[1].as_ref().expect("counted").value, limit - step);
        assert_eq!(answers[2].as_ref().expect("counted").value, limit);
        let after = read_one(&*store, &topic).await;
        assert_eq!((after.value(), after.id.revision), (limit, before.id.revision + 2));
    }
}

pub(crate) async fn values_up_to_the_limit_are_exact(backend: &dyn Backend) {
    let (store, exact) = (backend.store(), topic("exact"));
    assert_eq!(bump(&*store, &exact, LIMIT - 2).await, LIMIT - 2);
    assert_eq!(bump(&*store, &exact, 1).await, LIMIT - 1);
    assert_eq!(announcement(&*store, &exact, ANY_TIME).await.value(), LIMIT - 1);
    let claimed = add_one(&*store, Write { claim: Some(LONG), ..amount(&exact, 1) }).await.expect("counted");
    assert_eq!((claimed.value, claimed.claimed.expect("a claim").value()), (LIMIT, LIMIT));
    assert_eq!(read_one(&*store, &exact).await.value(), LIMIT);
    assert_eq!(bump(&*store, &exact, -LIMIT).await, 0);
    let key = keyed(&exact, -LIMIT, "k");
    for replayed in [false, true] {
        let added = add_one(&*store, key.clone()).await.expect("counted");
        assert_eq!((added.value, added.replayed), (-LIMIT, replayed));
    }
}

pub(crate) async fn a_combination_is_refused_when_one_value_on_its_way_is_out_of_range(
    backend: &dyn Backend,
) {
    let (store, near) = (backend.store(), topic("near"));
    bump(&*store, &near, LIMIT - 3).await;
    let combined = |total, lowest, highest| combination(&near, Sum { total, lowest, highest, changes: 2 });
    let before = read_one(&*store, &near).await;
    for refused in [combined(1, 1, 4), combined(-1, -1, 5), combined(4, 1, 4), combined(0, -LIMIT, LIMIT)] {
        let answer = add_one(&*store, refused.clone()).await;
        assert!(matches!(answer, Err(WriteError::OutOfRange)), "{refused:?}: {answer:?}");
        assert_eq!(read_one(&*store, &near).await, before);
    }
    assert_eq!(add_one(&*store, combined(-1, -1, 3)).await.expect("counted").value, LIMIT - 4);
    assert_eq!(bump(&*store, &near, -LIMIT).await, -4);
    assert_eq!(bump(&*store, &near, 8 - LIMIT).await, 4 - LIMIT);
    assert!(matches!(add_one(&*store, combined(1, -5, 1)).await, Err(WriteError::OutOfRange)));
    assert_eq!(add_one(&*store, combined(1, -4, 1)).await.expect("counted").value, 5 - LIMIT);
}

pub(crate) async fn a_refused_combination_leaves_no_trace_of_a_new_topic(backend: &dyn Backend) {
    let (store, new) = (backend.store(), topic("new"));
    let combined = combination(&new, Sum { total: 1, lowest: -LIMIT, highest: 1, changes: 3 });
    let beyond = combination(&new, Sum { total: LIMIT + 1, lowest: 1, highest: LIMIT + 1, changes: 3 });
    let answers = store.write(vec![beyond, combined]).await;
    assert!(matches!(answers[0], Err(WriteError::OutOfRange)), "{answers:?}");
    assert_eq!(answers[1].as_ref().expect("counted").value, 1);
    let refused = combination(&topic("other"), Sum { total: LIMIT + 1, highest: LIMIT + 1, ..Sum::from(1) });
    assert!(matches!(add_one(&*store, refused).await, Err(WriteError::OutOfRange)));
    assert_eq!(read_one(&*store, &topic("other")).await, Reading::default());
    assert_eq!(store.outbox_len().await.expect("a number"), 1);
    assert_eq!(claim_one(&*store, &topic("other"), ANY_TIME).await, Claim::Nothing);
}

pub(crate) async fn a_combination_grows_the_revision_by_its_changes(backend: &dyn Backend) {
    let (store, many) = (backend.store(), topic("many"));
    let combined = combination(&many, Sum { total: 12, lowest: 5, highest: 12, changes: 3 });
    for (value, revision) in [(12, 3), (24, 6)] {
        assert_eq!(add_one(&*store, combined.clone()).await.expect("counted").value, value);
        let reading = read_one(&*store, &many).await;
        assert_eq!((reading.value(), reading.id.revision), (value, revision));
        assert_ne!(reading.id.epoch, Epoch::NONE);
    }
}

pub(crate) async fn a_replayed_key_gets_the_first_answer(backend: &dyn Backend) {
    let (store, once) = (backend.store(), topic("once"));
    let first = add_one(&*store, keyed(&once, 5, "k")).await.expect("counted");
    assert_eq!((first.value, first.replayed), (5, false));
    bump(&*store, &once, 1).await;
    for store in [store, backend.store()] {
        let replay = add_one(&*store, keyed(&once, 5, "k")).await.expect("replayed");
        assert_eq!((replay.value, replay.replayed), (5, true));
    }
    let reading = read_one(&*backend.store(), &once).await;
    assert_eq!((reading.value(), reading.id.revision), (6, 2));
}

pub(crate) async fn a_key_used_with_another_amount_is_refused(backend: &dyn Backend) {
    let (store, once) = (backend.store(), topic("once"));
    add_one(&*store, keyed(&once, -5, "k")).await.expect("counted");
    for other in [5, 1, -LIMIT] {
        let answer = add_one(&*store, keyed(&once, other, "k")).await;
        assert!(matches!(answer, Err(WriteError::KeyReused(KeyUse::Add(-5)))), "{answer:?}");
    }
    assert_eq!(read_one(&*store, &once).await.value(), -5);
}

pub(crate) async fn a_key_is_remembered_per_topic(backend: &dyn Backend) {
    let store = backend.store();
    for id in ["a", "b"] {
        let added = add_one(&*store, keyed(&topic(id), 2, "k")).await.expect("counted");
        assert_eq!((added.value, added.replayed), (2, false), "{id}");
    }
    let other = add_one(&*store, keyed(&topic("a"), 2, "K")).await.expect("counted");
    assert_eq!((other.value, other.replayed), (4, false));
}

pub(crate) async fn a_refused_step_does_not_use_up_its_key(backend: &dyn Backend) {
    let (store, full) = (backend.store(), topic("full"));
    bump(&*store, &full, LIMIT).await;
    assert!(matches!(add_one(&*store, keyed(&full, 1, "k")).await, Err(WriteError::OutOfRange)));
    bump(&*store, &full, -1).await;
    let added = add_one(&*store, keyed(&full, 1, "k")).await.expect("counted");
    assert_eq!((added.value, added.replayed), (LIMIT, false));
}

pub(crate) async fn concurrent_uses_of_a_key_count_once(backend: &dyn Backend) {
    let once = topic("once");
    let stores: Vec<_> = (0..8).map(|_| backend.store()).collect();
    let answers = join_all(stores.iter().map(|store| add_one(&**store, keyed(&once, 3, "k")))).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("the store to answer")).collect();
    assert!(answers.iter().all(|added| added.value == 3), "{answers:?}");
    assert_eq!(answers.iter().filter(|added| !added.replayed).count(), 1, "{answers:?}");
    assert_eq!(read_one(&*backend.store(), &once).await.value(), 3);
}

pub(crate) async fn keyed_and_plain_items_of_a_batch_keep_their_order(backend: &dyn Backend) {
    let a = topic("a");
    let adds =
        vec![amount(&a, 1), keyed(&a, 10, "k"), amount(&a, 2), keyed(&a, 10, "k"), keyed(&a, 100, "l")];
    assert_eq!(values(backend.store().write(adds).await), [1, 11, 13, 11, 113]);
}

pub(crate) async fn a_store_that_lost_its_memory_starts_a_new_epoch(backend: &dyn Backend) {
    let again = topic("again");
    bump(&*backend.store(), &again, 5).await;
    let before = read_one(&*backend.store(), &again).await;
    backend.forget().await;
    assert_eq!(read_one(&*backend.store(), &again).await, Reading::default());
    assert_eq!(bump(&*backend.store(), &again, 1).await, 1);
    let after = read_one(&*backend.store(), &again).await;
    assert_ne!(after.id.epoch, before.id.epoch);
    assert_ne!(after.id.epoch, Epoch::NONE);
}

fn values(answers: Vec<Result<Written, WriteError>>) -> Vec<i64> {
    answers.into_iter().map(|answer| answer.expect("counted").value).collect()
}

/// An addition of 1 that is applied once within the lifetime, and whose repetition is answered with the present value.
fn visit(topic: &Topic, key: &str, lifetime: Duration) -> Write {
    let once = Once { key: key.parse().expect("a key"), lifetime, replay: Replay::Present };
    Write { once: Some(once), ..amount(topic, 1) }
}

pub(crate) async fn a_repetition_may_be_answered_with_the_present_value(backend: &dyn Backend) {
    let (store, page, site) = (backend.store(), topic("page"), topic("site"));
    let write = async |writes: Vec<Write>| -> Vec<(i64, bool)> {
        let written = store.write(writes).await.into_iter().map(|written| written.expect("written"));
        written.map(|written| (written.value, written.replayed)).collect()
    };
    let minute = Duration::from_secs(60);
    let both = |key: &str| vec![visit(&page, key, minute), visit(&site, key, minute)];
    assert_eq!(write(both("a")).await, [(1, false), (1, false)]);
    assert_eq!(
        write([both("b"), both("a"), both("b")].concat()).await,
        [(2, false), (2, false), (2, true), (2, true), (2, true), (2, true)]
    );
    assert_eq!(write(vec![amount(&page, 40)]).await, [(42, false)]);
    assert_eq!(write(both("a")).await, [(42, true), (2, true)]);
    // The same key of a client that wants its first answer back is the same use.
    let other =
        Write { once: Some("a".parse::<IdempotencyKey>().expect("a key").into()), ..amount(&page, 2) };
    assert!(matches!(store.write(vec![other]).await.remove(0), Err(WriteError::KeyReused(_))));
}

pub(crate) async fn a_key_is_forgotten_after_its_lifetime(backend: &dyn Backend) {
    let (store, page) = (backend.store(), topic("page"));
    let short = || visit(&page, "a", Duration::from_millis(300));
    let long = || visit(&page, "b", Duration::from_secs(60));
    assert_eq!(store.write(vec![short()]).await.remove(0).expect("written").value, 1);
    assert_eq!(store.write(vec![long()]).await.remove(0).expect("written").value, 2);
    let value = eventually("the key is forgotten", async || {
        let written = store.write(vec![short()]).await.remove(0).expect("written");
        (!written.replayed).then_some(written.value)
    })
    .await;
    assert_eq!(value, 3);
    assert!(store.write(vec![long()]).await.remove(0).expect("written").replayed);
}
