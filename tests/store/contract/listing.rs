//! Lists of topics.

use super::*;

/// The listed names with their values.
async fn list(store: &dyn Store, prefix: &str, after: Option<&str>, limit: usize) -> Vec<(String, i64)> {
    let after = after.map(|name| name.parse().expect("a topic"));
    let listed = store.list(prefix, after.as_ref(), limit).await.expect("a list");
    listed.into_iter().map(|(topic, reading)| (topic.name().to_owned(), reading.value())).collect()
}

fn names(listed: Vec<(String, i64)>) -> Vec<String> {
    listed.into_iter().map(|(name, _)| name).collect()
}

pub(crate) async fn topics_are_listed_in_the_order_of_their_names(backend: &dyn Backend) {
    let store = backend.store();
    assert_eq!(list(&*store, "", None, 10).await, []);
    let ids = ["b", "a", "B", "10", "9", "a.b", "a-b", "~", "_", "aa"];
    for (value, id) in (1..).zip(ids) {
        done_adding(&*store, id, value).await;
    }
    let mut expected: Vec<_> = (1..).zip(ids).map(|(value, id)| (format!("counter-{id}"), value)).collect();
    expected.sort();
    assert_eq!(list(&*store, "", None, 100).await, expected);
    assert_eq!(list(&*store, "counter-", None, 3).await, expected[..3]);
    assert_eq!(list(&*store, "counter-", None, 0).await, []);
    assert_eq!(
        names(list(&*store, "counter-a", None, 9).await),
        ["counter-a", "counter-a-b", "counter-a.b", "counter-aa"]
    );
    assert_eq!(names(list(&*store, "counter-a", Some("counter-a.b"), 9).await), ["counter-aa"]);
    assert_eq!(names(list(&*store, "counter-a", Some("counter-1"), 1).await), ["counter-a"]);
    assert_eq!(list(&*store, "counter-a", Some("counter-b"), 9).await, []);
    assert_eq!(list(&*store, "site-", None, 9).await, []);
    // A prefix is no pattern.
    for pattern in ["counter-*", "counter-[a-z]", "%", "counter-a_", "c.*"] {
        assert_eq!(list(&*store, pattern, None, 9).await, [], "{pattern}");
    }
}

async fn done_adding(store: &dyn Store, id: &str, value: i64) {
    assert_eq!(bump(store, &topic(id), value).await, value);
}

pub(crate) async fn pages_of_a_list_have_each_topic_once(backend: &dyn Backend) {
    let (store, count) = (backend.store(), 2500);
    let topics: Vec<_> = (0..count).map(|n| topic(&format!("{n}"))).collect();
    store.write(topics.iter().map(|topic| amount(topic, 1)).collect()).await;
    let mut expected: Vec<_> = topics.iter().map(|topic| topic.name().to_owned()).collect();
    expected.sort();
    for limit in [900, 2499, 2500, 5000] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = names(list(&*store, "counter-", after.as_deref(), limit).await);
            let is_last = page.len() < limit;
            after = page.last().cloned();
            found.extend(page);
            if is_last {
                break;
            }
        }
        assert_eq!(found, expected, "{limit}");
    }
}

pub(crate) async fn a_deleted_topic_is_not_listed(backend: &dyn Backend) {
    let (store, all) = (backend.store(), ["a", "b", "c", "d"].map(topic));
    for topic in &all {
        bump(&*store, topic, 1).await;
    }
    for gone in [&all[0], &all[2]] {
        store.write(vec![deletion(gone)]).await.remove(0).expect("deleted");
    }
    assert_eq!(names(list(&*store, "", None, 9).await), ["counter-b", "counter-d"]);
    assert_eq!(names(list(&*store, "", None, 1).await), ["counter-b"]);
    let claimed = announcement(&*store, &all[0], ANY_TIME).await;
    acknowledge(&*store, &all[0], claimed.id).await;
    assert_eq!(names(list(&*store, "", None, 9).await), ["counter-b", "counter-d"]);
    bump(&*store, &all[0], 7).await;
    store.write(vec![setting(&all[2], 0)]).await.remove(0).expect("set");
    let listed = list(&*store, "", None, 9).await;
    let values: Vec<_> = listed.iter().map(|(_, value)| *value).collect();
    assert_eq!((listed.len(), values), (4, vec![7, 1, 0, 1]));
}
