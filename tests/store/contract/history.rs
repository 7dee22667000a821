//! What claims write into the history.

use std::time::{SystemTime, UNIX_EPOCH};

use livecounter::domain::{BEFORE_ALL, Unit};

use super::*;

const UNITS: [Unit; 2] = [Unit::Hour, Unit::Day];

/// The values of the history. The first point is that from before the topic was created; there is one more where an hour, or a day, ends during the test.
async fn values(store: &dyn Store, topic: &Topic, unit: Unit) -> Vec<i64> {
    let points = store.history(topic, unit, u16::MAX).await.expect("a history").points;
    let numbers: Vec<_> = points.iter().map(|point| point.number).collect();
    assert!(numbers.len() <= 3 && numbers.is_sorted(), "{points:?}");
    points.iter().map(|point| point.value).collect()
}

async fn last_values(store: &dyn Store, topic: &Topic) -> [Option<i64>; 2] {
    let [hours, days] = [values(store, topic, UNITS[0]).await, values(store, topic, UNITS[1]).await];
    [hours.last().copied(), days.last().copied()]
}

pub(crate) async fn a_claim_writes_what_it_announces_into_the_history(backend: &dyn Backend) {
    let (store, topic) = (backend.store(), topic("past"));
    assert_eq!(last_values(&*store, &topic).await, [None; 2]);
    bump(&*store, &topic, 5).await;
    assert_eq!(last_values(&*store, &topic).await, [None; 2], "not announced yet");
    announcement(&*store, &topic, ANY_TIME).await;
    assert_eq!(last_values(&*store, &topic).await, [Some(5); 2]);
    bump(&*store, &topic, 2).await;
    assert_eq!(last_values(&*store, &topic).await, [Some(5); 2]);
    let claimed = announcement(&*store, &topic, terms(0, 1)).await;
    assert_eq!(last_values(&*store, &topic).await, [Some(7); 2]);
    eventually("the lease to run out", async || match claim_one(&*store, &topic, ANY_TIME).await {
        Claim::Announce(again) => {
            assert_eq!(again, claimed);
            Some(())
        }
        _ => None,
    })
    .await;
    assert_eq!(last_values(&*store, &topic).await, [Some(7); 2], "a repeated claim changes nothing");
    let claiming = Write { claim: Some(LONG), ..setting(&topic, -3) };
    add_one(&*store, claiming).await.expect("set");
    assert_eq!(last_values(&*store, &topic).await, [Some(-3); 2]);
    assert_eq!(last_values(&*store, &super::topic("other")).await, [None; 2]);
}

pub(crate) async fn a_deleted_topic_has_no_history(backend: &dyn Backend) {
    let (store, topic) = (backend.store(), topic("past"));
    for value in [5, 6] {
        bump(&*store, &topic, value).await;
        announcement(&*store, &topic, ANY_TIME).await;
        add_one(&*store, deletion(&topic)).await.expect("deleted");
        assert_eq!(last_values(&*store, &topic).await, [None; 2]);
        let gone = announcement(&*store, &topic, ANY_TIME).await;
        assert_eq!(last_values(&*store, &topic).await, [None; 2]);
        acknowledge(&*store, &topic, gone.id).await;
        assert_eq!(last_values(&*store, &topic).await, [None; 2]);
    }
}

pub(crate) async fn a_new_topic_stood_at_zero_before_its_first_claim(backend: &dyn Backend) {
    let (store, new) = (backend.store(), topic("new"));
    bump(&*store, &new, 5).await;
    announcement(&*store, &new, ANY_TIME).await;
    for unit in UNITS {
        assert_eq!(values(&*store, &new, unit).await, [0, 5]);
        let history = store.history(&new, unit, u16::MAX).await.expect("a history");
        assert_eq!(history.points[0], BEFORE_ALL);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_millis() as i64;
        assert!((now - 5000..=now).contains(&history.now), "{} at {now}", history.now);
    }
}

pub(crate) async fn a_topic_created_again_before_a_claim_begins_at_zero(backend: &dyn Backend) {
    let (store, again) = (backend.store(), topic("again"));
    bump(&*store, &again, 5).await;
    announcement(&*store, &again, ANY_TIME).await;
    add_one(&*store, deletion(&again)).await.expect("deleted");
    bump(&*store, &again, 3).await;
    assert_eq!(last_values(&*store, &again).await, [None; 2]);
    announcement(&*store, &again, ANY_TIME).await;
    assert_eq!(values(&*store, &again, Unit::Hour).await, [0, 3]);
    bump(&*store, &again, 1).await;
    let last = announcement(&*store, &again, ANY_TIME).await;
    assert_eq!(values(&*store, &again, Unit::Day).await, [0, 4]);
    acknowledge(&*store, &again, last.id).await;
    add_one(&*store, deletion(&again)).await.expect("deleted");
    let gone = announcement(&*store, &again, ANY_TIME).await;
    acknowledge(&*store, &again, gone.id).await;
    bump(&*store, &again, 2).await;
    announcement(&*store, &again, ANY_TIME).await;
    assert_eq!(values(&*store, &again, Unit::Hour).await, [0, 2]);
}
