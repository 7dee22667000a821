//! Hits: page and site are counted once for each key.

use futures_util::future::join_all;
use livecounter::domain::LIMIT;
use livecounter::store::{Body, Hit, HitKey, HitWritten, KeySource, Visit, Write, WriteError};

use super::visitors::present_day;
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn page(number: usize) -> Topic {
    format!("page-{number}").parse().expect("a topic")
}

fn site() -> Topic {
    "site-www.example.com".parse().expect("a topic")
}

fn hit(page: &Topic, key: &str) -> Hit {
    let key = key.parse().expect("a key");
    Hit::new(page.clone(), site(), HitKey { key, lifetime: MINUTE, source: KeySource::Client }, None)
}

/// The value and whether it is a repetition, of the page; and of the site, whose value is told to those that are counted only.
fn told(answer: HitWritten) -> (i64, bool, i64) {
    let (page, site) = (answer.page.expect("a page"), answer.site.expect("a site"));
    (page.value, page.replayed, if site.replayed { 0 } else { site.value })
}

async fn count(store: &dyn Store, hits: Vec<Hit>) -> Vec<(i64, bool, i64)> {
    store.hit(hits).await.into_iter().map(told).collect()
}

async fn value(store: &dyn Store, topic: &Topic) -> i64 {
    read_one(store, topic).await.value()
}

pub(crate) async fn a_hit_counts_for_page_and_site_once_for_its_key(backend: &dyn Backend) {
    let (store, a, b) = (backend.store(), page(1), page(2));
    let first = vec![hit(&a, "k"), hit(&a, "l"), hit(&b, "of-b")];
    let created = store.hit(first).await.into_iter().map(|answer| {
        let (page, site) = (answer.page.expect("a page"), answer.site.expect("a site"));
        (page.created, site.created)
    });
    let created: Vec<_> = created.collect();
    assert_eq!(created.iter().map(|(page, _)| *page).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(created.iter().filter(|(_, site)| *site).count(), 1);
    let hits = [(&a, "m"), (&b, "of-b"), (&a, "k"), (&a, "m"), (&b, "n"), (&a, "o")];
    let answers = count(&*store, hits.map(|(page, key)| hit(page, key)).to_vec()).await;
    let counted: Vec<_> = answers.iter().map(|(value, replayed, _)| (!replayed).then_some(*value)).collect();
    assert_eq!(counted, [Some(3), None, None, None, Some(2), Some(4)]);
    let mut of_site: Vec<i64> = answers.iter().map(|(_, _, site)| *site).filter(|value| *value > 0).collect();
    of_site.sort_unstable();
    assert_eq!(of_site, [4, 5, 6]);
    assert_eq!(
        (value(&*store, &a).await, value(&*store, &b).await, value(&*store, &site()).await),
        (4, 2, 6)
    );
    assert_eq!(read_one(&*store, &a).await.id.revision, 4);
    // A repetition alone is answered with the present value.
    bump(&*store, &a, 40).await;
    assert_eq!(count(&*store, vec![hit(&a, "k")]).await, [(44, true, 0)]);
    assert_eq!(value(&*store, &site()).await, 6);
    assert_eq!(store.topic_count().await.expect("a number"), 3);
    assert!(store.hit(Vec::new()).await.is_empty());
}

pub(crate) async fn a_hit_s_key_is_forgotten_after_its_lifetime(backend: &dyn Backend) {
    let (store, page) = (backend.store(), page(1));
    let short = || vec![Hit { lifetime: Duration::from_millis(300), ..hit(&page, "a") }];
    assert_eq!(count(&*store, short()).await, [(1, false, 1)]);
    let again = eventually("the key is forgotten", async || {
        let (value, replayed, _) = count(&*store, short()).await[0];
        (!replayed).then_some(value)
    });
    assert_eq!(again.await, 2);
}

pub(crate) async fn a_refused_hit_uses_up_no_key(backend: &dyn Backend) {
    let (store, full, other) = (backend.store(), page(1), page(2));
    bump(&*store, &full, LIMIT - 1).await;
    let is_refused = |answer: &HitWritten| matches!(answer.page, Err(WriteError::OutOfRange));
    // Of two hits that do not fit together, one is counted.
    let answers = store.hit(vec![hit(&full, "a"), hit(&full, "b"), hit(&other, "a")]).await;
    assert_eq!(answers.iter().map(is_refused).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(read_one(&*store, &full).await.body, Body::Number(LIMIT));
    assert!(is_refused(&store.hit(vec![hit(&full, "b")]).await[0]));
    store.write(vec![Write::add(full.clone(), -5, None)]).await.remove(0).expect("subtracted");
    let answers = count(&*store, vec![hit(&full, "b"), hit(&full, "a")]).await;
    let answers: Vec<_> = answers.iter().map(|(value, replayed, _)| (*value, *replayed)).collect();
    assert_eq!(answers, [(LIMIT - 4, false), (LIMIT - 4, true)]);
}

pub(crate) async fn a_site_at_the_limit_keeps_no_page_from_counting(backend: &dyn Backend) {
    let (store, page) = (backend.store(), page(1));
    bump(&*store, &site(), LIMIT).await;
    let answer = store.hit(vec![hit(&page, "a")]).await.remove(0);
    assert_eq!(answer.page.expect("a page").value, 1);
    assert!(matches!(answer.site, Err(WriteError::OutOfRange)), "{:?}", answer.site);
    let again = store.hit(vec![hit(&page, "a")]).await.remove(0).page.expect("a page");
    assert_eq!((again.value, again.replayed), (1, true));
}

pub(crate) async fn a_hit_may_claim_page_and_site(backend: &dyn Backend) {
    let (store, page) = (backend.store(), page(1));
    let claiming = |key| Hit { claim: Some(LONG), ..hit(&page, key) };
    let mut ids = Vec::new();
    for answer in store.hit(vec![claiming("a"), claiming("b"), claiming("a")]).await {
        let (of_page, of_site) = (answer.page.expect("a page"), answer.site.expect("a site"));
        assert_eq!(of_site.claimed.is_some(), of_page.claimed.is_some());
        ids.push(
            of_page.claimed.map(|claimed| (claimed.value(), claimed.id.revision, claimed.prev.revision)),
        );
    }
    assert_eq!(ids, [Some((1, 1, 0)), Some((2, 2, 1)), None]);
}

pub(crate) async fn hits_count_their_visitors(backend: &dyn Backend) {
    let (store, page) = (backend.store(), page(1));
    let day = present_day(&*store).await;
    let of = |key, visitor: u64| {
        let visitor = visitor.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Hit { visit: Some(Visit { day, visitor }), ..hit(&page, key) }
    };
    count(&*store, vec![of("a", 1), hit(&page, "b"), of("c", 2), of("d", 2)]).await;
    assert_eq!(value(&*store, &site()).await, 4);
    assert_eq!(store.uniques(&site()).await.expect("a number").today, 2);
    // A repetition counts its visitor, too.
    assert_eq!(count(&*store, vec![of("a", 3)]).await, [(4, true, 0)]);
    assert_eq!(store.uniques(&site()).await.expect("a number").today, 3);
}

pub(crate) async fn many_hits_are_answered_in_their_order(backend: &dyn Backend) {
    let store = backend.store();
    // More than one call of Redis takes, of pages with two hits each.
    let hits =
        |keys: &str| (0..2_500).map(|n| hit(&page(n % 1_250), &format!("{keys}{n}"))).collect::<Vec<_>>();
    let first = count(&*store, hits("a")).await;
    let expected = (0..2_500).map(|n| (1 + n / 1_250, false));
    assert!(first.iter().map(|(value, replayed, _)| (*value, *replayed)).eq(expected));
    assert!(count(&*store, hits("a")).await.iter().all(|answer| *answer == (2, true, 0)));
    assert_eq!(value(&*store, &site()).await, 2_500);
}

pub(crate) async fn concurrent_hits_of_one_visitor_count_once(backend: &dyn Backend) {
    let (store, page) = (backend.store(), page(1));
    let answers = join_all((0..20).map(|_| count(&*store, vec![hit(&page, "same")]))).await;
    assert_eq!(answers.iter().filter(|answer| !answer[0].1).count(), 1);
    assert_eq!((value(&*store, &page).await, value(&*store, &site()).await), (1, 1));
}
