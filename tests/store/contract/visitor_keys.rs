//! Hits of visitors with keys that a process has made for them.

use std::collections::BTreeSet;

use livecounter::domain::LIMIT;
use livecounter::store::{Hit, HitKey, HitWritten, KeySource, Visit, WriteError};

use super::visitors::present_day;
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn page(number: usize) -> Topic {
    format!("page-{number}").parse().expect("a topic")
}

fn site() -> Topic {
    "site-www.example.com".parse().expect("a topic")
}

pub(crate) fn new_key() -> HitKey {
    HitKey::new(MINUTE).expect("random numbers")
}

/// The key as a client sends it with the next request.
pub(crate) fn returned(key: &HitKey) -> HitKey {
    HitKey { source: KeySource::Returned, ..key.clone() }
}

fn hit(page: &Topic, key: &HitKey) -> Hit {
    Hit::new(page.clone(), site(), key.clone(), None)
}

/// The value of the page, and whether the hit is a repetition.
fn told(answer: HitWritten) -> (i64, bool) {
    let page = answer.page.expect("a page");
    (page.value, page.replayed)
}

async fn count(store: &dyn Store, hits: Vec<Hit>) -> Vec<(i64, bool)> {
    store.hit(hits).await.into_iter().map(told).collect()
}

pub(crate) async fn a_new_visitor_counts_once_and_is_known_after_that(backend: &dyn Backend) {
    let (store, a, b) = (backend.store(), page(1), page(2));
    let (first, second, third, other) = (new_key(), new_key(), new_key(), new_key());
    let own = HitKey { key: "own".parse().expect("a key"), lifetime: MINUTE, source: KeySource::Client };
    let hits = vec![hit(&a, &first), hit(&a, &own), hit(&b, &other), hit(&a, &second)];
    let answers = count(&*store, hits).await;
    assert!(answers.iter().all(|(_, is_repetition)| !is_repetition), "{answers:?}");
    let of_a: BTreeSet<i64> = [0, 1, 3].map(|hit: usize| answers[hit].0).into();
    assert_eq!((of_a, answers[2].0), ([1, 2, 3].into(), 1));
    // A new key among known ones.
    let hits = [hit(&a, &returned(&second)), hit(&a, &own), hit(&a, &third), hit(&a, &returned(&first))];
    let answers = count(&*store, hits.to_vec()).await;
    assert_eq!(answers.iter().map(|answer| answer.1).collect::<Vec<_>>(), [true, true, false, true]);
    assert_eq!((answers[2].0, answers[3].0), (4, 4));
    assert_eq!(count(&*store, vec![hit(&a, &returned(&third))]).await, [(4, true)]);
    // A client may have made up the key.
    let made_up = HitKey { key: "0123456789012345678901".parse().expect("a key"), ..returned(&first) };
    for expected in [(5, false), (5, true)] {
        assert_eq!(count(&*store, vec![hit(&a, &made_up)]).await, [expected]);
    }
    assert_eq!(read_one(&*store, &site()).await.value(), 6);
}

pub(crate) async fn a_refused_hit_forgets_the_new_key(backend: &dyn Backend) {
    let (store, full, other) = (backend.store(), page(1), page(2));
    bump(&*store, &full, LIMIT).await;
    let keys = [new_key(), new_key(), new_key()];
    let answers = store.hit(vec![hit(&full, &keys[0]), hit(&other, &keys[1]), hit(&full, &keys[2])]).await;
    let refused = answers.iter().map(|answer| matches!(answer.page, Err(WriteError::OutOfRange)));
    assert_eq!(refused.collect::<Vec<_>>(), [true, false, true]);
    store.write(vec![Write::add(full.clone(), -5, None)]).await.remove(0).expect("subtracted");
    let again = || vec![hit(&full, &returned(&keys[0])), hit(&other, &returned(&keys[1]))];
    assert_eq!(count(&*store, again()).await, [(LIMIT - 4, false), (1, true)]);
    assert_eq!(count(&*store, again()).await, [(LIMIT - 4, true), (1, true)]);
}

pub(crate) async fn new_visitors_are_counted_with_their_visits(backend: &dyn Backend) {
    let (store, page) = (backend.store(), page(1));
    let day = present_day(&*store).await;
    let visit = |key: &HitKey, visitor: u64| {
        let visitor = visitor.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Hit { visit: Some(Visit { day, visitor }), ..hit(&page, key) }
    };
    let keys = [new_key(), new_key(), new_key()];
    let hits = vec![visit(&keys[0], 1), hit(&page, &keys[1]), visit(&keys[2], 2)];
    assert!(count(&*store, hits).await.iter().all(|(_, is_repetition)| !is_repetition));
    let hits = vec![visit(&returned(&keys[1]), 3), visit(&new_key(), 2)];
    let answers = count(&*store, hits).await;
    assert_eq!((answers[0].1, answers[1]), (true, (4, false)));
    assert_eq!(store.uniques(&site()).await.expect("a number").today, 3);
}

pub(crate) async fn many_new_visitors_are_counted_once_each(backend: &dyn Backend) {
    let store = backend.store();
    // More than one call of Redis takes, and of more than one period.
    let keys: Vec<HitKey> = (0..5_000).map(|_| new_key()).collect();
    let hits = |is_new: bool| {
        let keys = keys.iter().map(|key| if is_new { key.clone() } else { returned(key) });
        keys.enumerate().map(|(number, key)| hit(&page(number % 1_250), &key)).collect::<Vec<_>>()
    };
    assert!(count(&*store, hits(true)).await.iter().all(|(_, is_repetition)| !is_repetition));
    assert!(count(&*store, hits(false)).await.iter().all(|answer| *answer == (4, true)));
    assert_eq!(read_one(&*store, &site()).await.value(), 5_000);
}
