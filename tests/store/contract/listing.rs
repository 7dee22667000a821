//! Lists of topics.

use livecounter::domain::LIMIT;

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

async fn top(store: &dyn Store, prefix: &str, limit: usize) -> Vec<(String, i64)> {
    let ranked = store.top(prefix, limit).await.expect("a ranking");
    ranked.into_iter().map(|(topic, value)| (topic.name().to_owned(), value)).collect()
}

pub(crate) async fn the_greatest_values_come_first(backend: &dyn Backend) {
    let store = backend.store();
    assert_eq!(top(&*store, "counter-", 3).await, []);
    // Values from -150 to 149; two topics have each value.
    let values = |n: i64| n / 2 - 150;
    let topics: Vec<Topic> = (0..600).map(|n| topic(&format!("n{n:03}"))).collect();
    let settings = topics.iter().zip(0..).map(|(topic, n)| setting(topic, values(n)));
    assert!(store.write(settings.collect()).await.iter().all(Result::is_ok));
    let mut expected: Vec<_> =
        topics.iter().zip(0..).map(|(topic, n)| (topic.name().to_owned(), values(n))).collect();
    expected.sort_by_key(|(_, value)| -value);
    assert_eq!(
        expected[..3].iter().map(|(name, _)| &name[8..]).collect::<Vec<_>>(),
        ["n598", "n599", "n596"]
    );
    for limit in [1, 2, 3, 10, 299, 600, 1000] {
        assert_eq!(top(&*store, "counter-", limit).await, expected[..limit.min(600)], "{limit}");
    }
    expected.retain(|(name, _)| name.starts_with("counter-n1"));
    assert_eq!(top(&*store, "counter-n1", 7).await, expected[..7]);
    assert_eq!(top(&*store, "counter-x", 7).await, []);
    // Numbers at the limit are exact, and all values may be the same.
    let great = [("a", LIMIT), ("b", LIMIT - 1), ("c", -LIMIT)].map(|(id, value)| setting(&topic(id), value));
    assert!(store.write(great.to_vec()).await.iter().all(Result::is_ok));
    assert_eq!(
        top(&*store, "counter-", 2).await,
        [("counter-a".into(), LIMIT), ("counter-b".into(), LIMIT - 1)]
    );
    assert_eq!(top(&*store, "counter-", 1000).await.last(), Some(&("counter-c".into(), -LIMIT)));
}

pub(crate) async fn a_ranking_has_each_topic_once_and_no_deleted_one(backend: &dyn Backend) {
    let store = backend.store();
    let [a, b, c] = ["a", "b", "c"].map(topic);
    for (topic, by) in [(&a, 1), (&b, 2), (&c, -3), (&a, 4), (&b, -7)] {
        bump(&*store, topic, by).await;
    }
    announcement(&*store, &a, ANY_TIME).await;
    let named =
        |names: &[(&str, i64)]| names.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<Vec<_>>();
    assert_eq!(top(&*store, "", 9).await, named(&[("counter-a", 5), ("counter-c", -3), ("counter-b", -5)]));
    add_one(&*store, deletion(&a)).await.expect("deleted");
    assert_eq!(top(&*store, "", 9).await, named(&[("counter-c", -3), ("counter-b", -5)]));
    bump(&*store, &a, -4).await;
    assert_eq!(top(&*store, "", 2).await, named(&[("counter-c", -3), ("counter-a", -4)]));
}
