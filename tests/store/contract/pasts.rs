//! The pasts of topics, as they are taken from one store to another.

use livecounter::domain::{BEFORE_ALL, Past, Point, Unit};

use super::*;

/// A past of hours and days that are over, with these values.
fn past(values: &[i64]) -> Past {
    let points = |first: i64| (first..).zip(values).map(|(number, &value)| Point { number, value }).collect();
    // The last hour is one of the last day.
    let days = 16_666;
    Past { hours: points((days + values.len() as i64 - 1) * 24), days: points(days) }
}

async fn restore(store: &dyn Store, topic: &Topic, past: &Past, only_new: bool) -> bool {
    store.restore_pasts(&[(topic.clone(), past.clone())], only_new).await.expect("an answer")[0]
}

async fn kept(store: &dyn Store, topic: &Topic) -> Past {
    store.pasts(std::slice::from_ref(topic)).await.expect("an answer").remove(0)
}

pub(crate) async fn claims_go_on_from_a_restored_past(backend: &dyn Backend) {
    let (store, topic) = (backend.store(), topic("past"));
    add_one(&*store, setting(&topic, 9)).await.expect("set");
    let before = past(&[3, 5, 8]);
    assert!(restore(&*store, &topic, &before, false).await);
    assert_eq!(kept(&*store, &topic).await, before);
    for unit in [Unit::Hour, Unit::Day] {
        let history = store.history(&topic, unit, u16::MAX).await.expect("a history");
        assert_eq!(history.points.last(), before.of(unit).last());
    }
    for value in [9, 12] {
        announcement(&*store, &topic, ANY_TIME).await;
        let now = kept(&*store, &topic).await;
        for unit in [Unit::Hour, Unit::Day] {
            let (points, before) = (now.of(unit), before.of(unit));
            assert_eq!(&points[..3], before);
            assert_eq!(points.last().map(|point| point.value), Some(value), "{now:?}");
        }
        bump(&*store, &topic, 3).await;
    }
    // The present hour stays, as a claim knows its value.
    let (other, claimed) = (past(&[4, 7]), kept(&*store, &topic).await.hours.last().copied());
    assert!(restore(&*store, &topic, &other, false).await);
    let now = kept(&*store, &topic).await;
    assert_eq!((&now.hours[..2], &now.days[..2]), (&other.hours[..], &other.days[..]));
    let history = store.history(&topic, Unit::Hour, 1).await.expect("a history");
    if claimed.is_some_and(|claimed| claimed.number == Unit::Hour.number(history.now)) {
        assert_eq!(now.hours.last().copied(), claimed);
    }
}

pub(crate) async fn a_past_of_hours_or_days_alone_brings_no_others(backend: &dyn Backend) {
    let store = backend.store();
    let both = past(&[3, 5, 8]);
    let hours = Past { days: Vec::new(), ..both.clone() };
    let days = Past { hours: Vec::new(), ..both };
    for (name, before) in [("hours", hours), ("days", days)] {
        let topic = topic(name);
        add_one(&*store, setting(&topic, 9)).await.expect("set");
        for _ in 0..2 {
            assert!(restore(&*store, &topic, &before, false).await);
            assert_eq!(kept(&*store, &topic).await, before);
        }
        announcement(&*store, &topic, ANY_TIME).await;
        let now = kept(&*store, &topic).await;
        for unit in [Unit::Hour, Unit::Day] {
            let (last, rest) = now.of(unit).split_last().expect("the present hour or day");
            assert_eq!((rest, last.value), (before.of(unit), 9), "{now:?}");
        }
    }
}

pub(crate) async fn a_restored_past_goes_with_its_topic(backend: &dyn Backend) {
    let (store, topic) = (backend.store(), topic("past"));
    for is_announced in [false, true] {
        add_one(&*store, setting(&topic, 9)).await.expect("set");
        assert!(restore(&*store, &topic, &past(&[3, 9]), false).await);
        if is_announced {
            announcement(&*store, &topic, ANY_TIME).await;
        }
        add_one(&*store, deletion(&topic)).await.expect("deleted");
        assert_eq!(kept(&*store, &topic).await, Past::default());
        assert!(!restore(&*store, &topic, &past(&[3, 9]), false).await, "there is no topic");
        add_one(&*store, setting(&topic, 1)).await.expect("set");
        announcement(&*store, &topic, ANY_TIME).await;
        let now = kept(&*store, &topic).await;
        assert_eq!((now.hours[0], now.hours[1].value), (BEFORE_ALL, 1), "{now:?}");
        add_one(&*store, deletion(&topic)).await.expect("deleted");
        announcement(&*store, &topic, ANY_TIME).await;
    }
}

pub(crate) async fn a_past_is_restored_to_topics_that_exist_and_are_new(backend: &dyn Backend) {
    let (store, before) = (backend.store(), past(&[3, 5]));
    let [new, announced, none] = ["new", "announced", "none"].map(topic);
    for topic in [&new, &announced] {
        add_one(&*store, setting(topic, 5)).await.expect("set");
    }
    // It was created in this hour, or in the one before if that has just ended: then it has a past of its own.
    announcement(&*store, &announced, ANY_TIME).await;
    for _ in 0..2 {
        let pasts = [&none, &new].map(|topic| (topic.clone(), before.clone()));
        assert_eq!(store.restore_pasts(&pasts, true).await.expect("an answer"), [false, true]);
    }
    let first = restore(&*store, &announced, &before, true).await;
    let second = restore(&*store, &announced, &past(&[1]), true).await;
    assert!(!second, "it has a past now");
    let points = kept(&*store, &announced).await.hours;
    assert_eq!(first, points[..2] == before.hours[..], "{points:?}");
    assert_eq!(kept(&*store, &new).await, before);
    assert_eq!(kept(&*store, &none).await, Past::default());
}
