//! What claims write into the history.

use livecounter::domain::Unit;

use super::*;

const UNITS: [Unit; 2] = [Unit::Hour, Unit::Day];

/// The values of the history. There are two points where an hour, or a day, ends during the test.
async fn values(store: &dyn Store, topic: &Topic, unit: Unit) -> Vec<i64> {
    let points = store.history(topic, unit, 48).await.expect("a history");
    let numbers: Vec<_> = points.iter().map(|point| point.number).collect();
    assert!(numbers.len() <= 2 && numbers.is_sorted(), "{points:?}");
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
