//! The salt of the day, and the different visitors of sites.

use futures_util::future::join_all;
use livecounter::domain::Point;
use livecounter::store::{DailySalt, KeyUse, Uniques, Visit};

use super::*;
use crate::support::wait::until_an_hour_has_time;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn site() -> Topic {
    "site-www.example.com".parse().expect("a topic")
}

/// A number that is spread like a hash (SplitMix64).
fn digest(number: u64) -> u64 {
    let mut hash = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

fn visit(site: &Topic, day: i64, visitor: u64) -> Write {
    Write { visit: Some(Visit { day, visitor: digest(visitor) }), ..amount(site, 1) }
}

async fn visits(store: &dyn Store, day: i64, visitors: impl IntoIterator<Item = u64>) {
    let visits = visitors.into_iter().map(|visitor| visit(&site(), day, visitor));
    for answer in store.write(visits.collect()).await {
        answer.expect("counted");
    }
}

async fn uniques(store: &dyn Store) -> Uniques {
    store.uniques(&site()).await.expect("a number of visitors")
}

/// The present day by the clock of the store. It does not end while a test runs.
pub(super) async fn present_day(store: &dyn Store) -> i64 {
    until_an_hour_has_time().await;
    store.daily_salt().await.expect("a salt").day
}

pub(crate) async fn all_callers_get_the_same_salt(backend: &dyn Backend) {
    let stores: Vec<_> = (0..8).map(|_| backend.store()).collect();
    let salts = join_all(stores.iter().map(|store| store.daily_salt())).await;
    let salts: Vec<DailySalt> = salts.into_iter().map(|salt| salt.expect("a salt")).collect();
    assert!(salts.iter().all(|salt| (salt.day, salt.secret) == (salts[0].day, salts[0].secret)));
    assert!(salts.iter().all(|salt| Duration::ZERO < salt.left && salt.left <= DAY));
    let day = uniques(&*stores[0]).await.day;
    assert!(day == salts[0].day && day > 20_000, "{day}");
    backend.forget().await;
    let other = backend.store().daily_salt().await.expect("a salt");
    assert_ne!(other.secret, salts[0].secret, "a salt follows from nothing");
}

pub(crate) async fn a_visitor_is_counted_once_in_a_day(backend: &dyn Backend) {
    let store = backend.store();
    let day = present_day(&*store).await;
    assert_eq!(uniques(&*store).await, Uniques { day, ..Uniques::default() });
    visits(&*store, day, [1, 2, 1]).await;
    visits(&*store, day, [2, 3]).await;
    let other: Topic = "site-other.example.com".parse().expect("a topic");
    let more = vec![visit(&other, day, 1), amount(&site(), 1), visit(&site(), day, 4), amount(&other, 1)];
    assert!(store.write(more).await.iter().all(Result::is_ok));
    let again = backend.store();
    assert_eq!(uniques(&*again).await, Uniques { day, today: 4, all: 4, days: vec![] });
    assert_eq!(again.uniques(&other).await.expect("a number").today, 1);
    assert_eq!(read_one(&*again, &site()).await.value(), 7, "each hit is counted");
    // A visit on the day before comes from a process that has not noticed midnight yet.
    visits(&*again, day - 1, [5]).await;
    assert_eq!(uniques(&*again).await, Uniques { day, today: 5, all: 5, days: vec![] });
}

pub(crate) async fn visitors_are_counted_within_two_percent(backend: &dyn Backend) {
    let store = backend.store();
    let day = present_day(&*store).await;
    for thousand in 0..10 {
        visits(&*store, day, (0..1_000).map(|number| 1_000 * thousand + number)).await;
        visits(&*store, day, (0..1_000 * (thousand + 1)).step_by(7)).await;
        let (told, truth) = (uniques(&*store).await.today, 1_000 * (thousand as i64 + 1));
        assert!((told - truth).abs() * 50 <= truth, "{told} of {truth}");
    }
}

pub(crate) async fn a_day_that_is_over_leaves_its_number_of_visitors(backend: &dyn Backend) {
    let store = backend.store();
    let day = present_day(&*store).await;
    visits(&*store, day - 400, [7]).await;
    visits(&*store, day - 3, 0..5).await;
    let [older, before] = [(day - 3, 5), (day - 1, 3)].map(|(number, value)| Point { number, value });
    assert_eq!(uniques(&*store).await, Uniques { day, today: 0, all: 6, days: vec![older] });
    visits(&*store, day - 1, 0..3).await;
    let told = uniques(&*store).await;
    assert_eq!(told, Uniques { day, today: 0, all: 9, days: vec![older, before] });
    // The same visitors count again on another day.
    visits(&*store, day, 0..2).await;
    let told = uniques(&*store).await;
    assert_eq!(told, Uniques { day, today: 2, all: 11, days: vec![older, before] });
    // Visits that were counted ahead, before the clock was set back, count as a day of their own.
    visits(&*store, day + 9, 0..4).await;
    visits(&*store, day, 0..2).await;
    let told = uniques(&*store).await;
    assert_eq!((told.today, told.all), (2, 17));
}

pub(crate) async fn a_repeated_hit_counts_its_visitor_and_a_refused_one_does_not(backend: &dyn Backend) {
    let store = backend.store();
    let day = present_day(&*store).await;
    let once = |replay, key: &str| {
        let key = key.parse().expect("a key");
        Some(Once { key, lifetime: DAY, replay })
    };
    let hit = |visitor, key| Write { once: once(Replay::Present, key), ..visit(&site(), day, visitor) };
    assert_eq!(add_one(&*store, hit(1, "a")).await.expect("counted").value, 1);
    assert!(add_one(&*store, hit(2, "a")).await.expect("an answer").replayed);
    assert_eq!(uniques(&*store).await.today, 2);
    let other = Write { once: once(Replay::Present, "a"), visit: hit(3, "a").visit, ..amount(&site(), 2) };
    let refused = add_one(&*store, other).await;
    assert!(matches!(refused, Err(WriteError::KeyReused(KeyUse::Add(1)))), "{refused:?}");
    let new: Topic = "site-new.example.com".parse().expect("a topic");
    let refused = add_one(&*store, Write { may_create: false, ..visit(&new, day, 4) }).await;
    assert!(matches!(refused, Err(WriteError::WouldBeNew)), "{refused:?}");
    assert_eq!(store.uniques(&new).await.expect("a number").all, 0);
    let claimed = Write { claim: Some(LONG), ..visit(&site(), day, 5) };
    assert!(add_one(&*store, claimed).await.expect("counted").claimed.is_some());
    assert_eq!(uniques(&*store).await.today, 3);
}

pub(crate) async fn a_deleted_site_has_had_no_visitors(backend: &dyn Backend) {
    let store = backend.store();
    let day = present_day(&*store).await;
    visits(&*store, day - 1, 0..3).await;
    visits(&*store, day, 0..2).await;
    let writes = vec![visit(&site(), day, 9), deletion(&site())];
    assert!(store.write(writes).await.iter().all(Result::is_ok));
    assert_eq!(uniques(&*store).await, Uniques { day, ..Uniques::default() });
    visits(&*store, day, 0..2).await;
    assert_eq!(uniques(&*store).await, Uniques { day, today: 2, all: 2, days: vec![] });
}
