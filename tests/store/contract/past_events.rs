//! What another store had before: events with their times, and the ends of lives.

use livecounter::domain::{FeedRetention, FieldChanges, JsonText};
use livecounter::store::{Body, KeptEvents};

use super::*;

pub(crate) async fn an_event_of_the_past_keeps_its_time_and_its_place(backend: &dyn Backend) {
    let (store, feed) = (backend.store(), Topic::feed(&"app/log".parse().expect("a route")));
    let now = appended(&*store, &feed, None).await;
    let past = now - 60_000;
    assert_eq!(appended(&*store, &feed, Some(past)).await, past);
    let mut batch = vec![Write::append_past(feed.clone(), JsonText::of_stored("1"), past); 3];
    batch.push(Write::new(feed.clone(), Change::Append([JsonText::null()].into())));
    assert!(store.write(batch).await.iter().all(Result::is_ok));
    let kept = async |revision, limit| {
        let KeptEvents { events, oldest } = store.kept(&feed, revision, limit).await.expect("events");
        assert!(oldest <= now && oldest + 2 * 86_400_000 * 7 > now, "{oldest}");
        events
    };
    let all = kept(0, 100).await;
    let revisions: Vec<u64> = all.iter().map(|event| event.id.revision).collect();
    assert_eq!(revisions, [1, 2, 3, 4, 5, 6]);
    let times: Vec<u64> = all.iter().map(|event| event.at).collect();
    assert_eq!(times[..5], [now, past, past, past, past]);
    assert!(times[5] >= now);
    assert_eq!(kept(2, 3).await, all[2..5]);
    assert!(kept(6, 3).await.is_empty());
    // They are announced like any other events.
    let Body::Events(events) = announcement(&*store, &feed, ANY_TIME).await.body else {
        panic!("expected events")
    };
    assert_eq!(*events, *all);
    assert_eq!(kept(0, 100).await, all);
}

pub(crate) async fn events_too_old_for_readers_are_told_apart(backend: &dyn Backend) {
    let (store, feed) = (backend.store(), Topic::feed(&"app/log".parse().expect("a route")));
    assert_eq!(appended(&*store, &feed, Some(5)).await, 5);
    let now = appended(&*store, &feed, None).await;
    let KeptEvents { events, oldest } = store.kept(&feed, 0, 100).await.expect("events");
    assert_eq!((events[0].at, events.len()), (5, 2));
    assert!(oldest > 5 && oldest <= now - FeedRetention::DEFAULT.age.as_millis() as u64 + 60_000);
    announcement(&*store, &feed, ANY_TIME).await;
    let page = store.before(&feed, None, 10).await.expect("a page");
    assert_eq!(page.events.len(), 1, "{page:?}");
}

/// Appends an event of this time, or of the present, and returns the time that the store tells.
async fn appended(store: &dyn Store, feed: &Topic, at: Option<u64>) -> u64 {
    let write = Write { at, ..Write::new(feed.clone(), Change::Append([JsonText::null()].into())) };
    add_one(store, write).await.expect("appended").stamp.expect("a stamp").at
}

pub(crate) async fn the_end_of_a_life_is_told_and_may_be_set_as_a_time(backend: &dyn Backend) {
    let store = backend.store();
    let entity = |key: &str| Topic::entity(&"a".parse().expect("a route"), &key.parse().expect("a key"));
    let (lives, ends) = (entity("lives"), entity("ends"));
    let merge = |topic: &Topic| Write::merge(topic.clone(), FieldChanges::default());
    let later = 9_999_999_999_999;
    let batch = vec![merge(&lives), Write { ends: Some(later), ..merge(&ends) }];
    assert!(store.write(batch).await.iter().all(Result::is_ok));
    let told = async || store.ends(&[ends.clone(), lives.clone(), entity("none")]).await.expect("an answer");
    assert_eq!(told().await, [Some(later), None, None]);
    add_one(&*store, merge(&ends)).await.expect("merged");
    assert_eq!(told().await, [Some(later), None, None], "a merge without a time leaves the end");
    add_one(&*store, Write { ends: Some(1), ..merge(&ends) }).await.expect("merged");
    assert!(store.overdue(10, Duration::ZERO).await.expect("an answer").contains(&ends));
    assert_eq!(told().await, [None, None, None]);
}
