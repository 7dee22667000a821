//! The entities of a route in a range of keys.

use std::ops::Bound;

use livecounter::domain::Route;
use livecounter::store::EntityQuery;

use super::documents::{entity, merging};
use super::*;

/// Twenty-nine days with a number and a long text each; between them, entities of routes below and beside, and a day that was deleted.
async fn write_days(store: &dyn Store) -> EntityQuery {
    let text = "x".repeat(1000);
    let day = |day: usize| {
        merging(&entity(&format!("daily/{day:02}")), &format!(r#"{{"n":{day},"text":"{text}"}}"#))
    };
    let mut writes: Vec<_> = (0..30).map(day).collect();
    for other in ["daily/05/below", "daily/05/below/07", "daily-b/06", "dail/06"] {
        writes.push(merging(&entity(other), r#"{"n":1}"#));
    }
    for answer in store.write(writes).await {
        answer.expect("written");
    }
    add_one(store, deletion(&entity("daily/12"))).await.expect("deleted");
    let route: Route = "analytics/daily".parse().expect("a route");
    EntityQuery::all(route)
}

async fn keys(store: &dyn Store, query: EntityQuery) -> String {
    let found = store.entities(&query).await.expect("entities");
    let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    keys.join(" ")
}

pub(crate) async fn entities_are_read_in_a_range_of_keys(backend: &dyn Backend) {
    let store = backend.store();
    let all = write_days(&*store).await;
    let every: Vec<String> = (0..30).filter(|day| *day != 12).map(|day| format!("{day:02}")).collect();
    assert_eq!(keys(&*store, all.clone()).await, every.join(" "));
    let included = |key: &str| Bound::Included(key.to_owned());
    let excluded = |key: &str| Bound::Excluded(key.to_owned());
    for (low, high, limit, expected) in [
        (included("27"), Bound::Unbounded, 100, "27 28 29"),
        (excluded("27"), Bound::Unbounded, 100, "28 29"),
        (Bound::Unbounded, included("02"), 100, "00 01 02"),
        (Bound::Unbounded, excluded("02"), 100, "00 01"),
        (included("05"), included("07"), 100, "05 06 07"),
        // The day that was deleted does not count as one of three.
        (included("11"), Bound::Unbounded, 3, "11 13 14"),
        (excluded("05"), excluded("06"), 100, ""),
        (included("07"), included("05"), 100, ""),
        (included("29\u{fffd}"), Bound::Unbounded, 100, ""),
        (included(""), included("00"), 100, "00"),
        (Bound::Unbounded, Bound::Unbounded, 0, ""),
    ] {
        let query = EntityQuery { low, high, limit, ..all.clone() };
        assert_eq!(keys(&*store, query.clone()).await, expected, "{query:?}");
        let reversed: Vec<&str> = expected.split(' ').rev().collect();
        if limit == 100 {
            let query = EntityQuery { descending: true, ..query };
            assert_eq!(keys(&*store, query.clone()).await, reversed.join(" "), "{query:?}");
        }
    }
    let last = EntityQuery { descending: true, limit: 3, ..all.clone() };
    assert_eq!(keys(&*store, last.clone()).await, "29 28 27");
    let key = "27".parse().expect("a key");
    assert_eq!(keys(&*store, last.behind(&key)).await, "26 25 24");
    assert_eq!(keys(&*store, EntityQuery { limit: 2, ..all.behind(&key) }).await, "28 29");
}

pub(crate) async fn entities_are_read_with_the_fields_and_the_memory_asked_for(backend: &dyn Backend) {
    let store = backend.store();
    let all = write_days(&*store).await;
    // A day takes some 1,100 bytes; the one that takes more than the rest of the memory is the last.
    let few = EntityQuery { most_bytes: 3000, ..all.clone() };
    assert_eq!(keys(&*store, few.clone()).await, "00 01 02");
    assert_eq!(keys(&*store, EntityQuery { descending: true, ..few.clone() }).await, "29 28 27");
    for (fields, expected) in
        [(vec!["n"], r#"{"n":7}"#), (vec!["none", "n"], r#"{"n":7}"#), (vec!["none"], "{}"), (vec![], "{}")]
    {
        let fields = Some(fields.into_iter().map(Into::into).collect());
        let query = EntityQuery { fields, ..few.clone() };
        let found = store.entities(&query).await.expect("entities");
        assert_eq!(found.len(), 29, "only what is read takes memory");
        assert_eq!(found[7].1.to_json(), expected);
    }
}
