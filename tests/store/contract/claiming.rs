//! Which origin may announce a topic, and when.

use std::time::Instant;

use futures_util::future::join_all;
use livecounter::domain::LIMIT;
use livecounter::store::{Body, Write, WriteError};

use super::*;

pub(crate) async fn a_claim_is_given_to_one_of_many(backend: &dyn Backend) {
    let wanted = topic("wanted");
    bump(&*backend.store(), &wanted, 1).await;
    let stores: Vec<_> = (0..8).map(|_| backend.store()).collect();
    let claims = join_all(stores.iter().map(|store| claim_one(&**store, &wanted, ANY_TIME))).await;
    let given = claims.iter().filter(|claim| matches!(claim, Claim::Announce(_))).count();
    let refused = claims.iter().filter(|claim| matches!(claim, Claim::Nothing)).count();
    assert_eq!((given, refused), (1, 7), "{claims:?}");
}

pub(crate) async fn claims_form_a_chain(backend: &dyn Backend) {
    let (store, chain) = (backend.store(), topic("chain"));
    let mut prev = EventId::default();
    for (by, value) in [(1, 1), (5, 6), (-7, -1)] {
        bump(&*store, &chain, by).await;
        let reading = read_one(&*store, &chain).await;
        let claimed = announcement(&*store, &chain, ANY_TIME).await;
        assert_eq!(claimed, Announcement { body: Body::Number(value), id: reading.id, prev });
        prev = claimed.id;
    }
}

pub(crate) async fn nothing_is_claimed_of_a_topic_never_changed(backend: &dyn Backend) {
    assert_eq!(claim_one(&*backend.store(), &topic("new"), terms(1000, 1000)).await, Claim::Nothing);
}

pub(crate) async fn a_claim_within_its_lease_is_given_to_no_other_origin(backend: &dyn Backend) {
    let (store, leased) = (backend.store(), topic("leased"));
    bump(&*store, &leased, 1).await;
    announcement(&*store, &leased, ANY_TIME).await;
    for store in [store, backend.store()] {
        assert_eq!(claim_one(&*store, &leased, terms(0, 1)).await, Claim::Nothing);
    }
}

pub(crate) async fn a_shut_gate_makes_claimants_wait(backend: &dyn Backend) {
    let (store, busy) = (backend.store(), topic("busy"));
    bump(&*store, &busy, 1).await;
    announcement(&*store, &busy, gate(600_000)).await;
    // The gate is shut, but no change waits for it.
    assert_eq!(claim_one(&*store, &busy, gate(600_000)).await, Claim::Nothing);
    bump(&*store, &busy, 1).await;
    let mut left = Duration::from_millis(600_000);
    for store in [&backend.store(), &store] {
        let Claim::Wait(wait) = claim_one(&**store, &busy, gate(600_000)).await else {
            panic!("the gate should be shut");
        };
        assert!(wait > Duration::ZERO && wait <= left, "{wait:?} and before {left:?}");
        left = wait;
    }
}

pub(crate) async fn a_gate_opens_when_its_time_is_over(backend: &dyn Backend) {
    let (store, busy) = (backend.store(), topic("busy"));
    bump(&*store, &busy, 1).await;
    let since = Instant::now();
    let first = announcement(&*store, &busy, gate(400)).await;
    bump(&*store, &busy, 1).await;
    let second = eventually("the gate to open", async || match claim_one(&*store, &busy, gate(400)).await {
        Claim::Announce(announcement) => Some(announcement),
        Claim::Wait(_) => None,
        Claim::Nothing => panic!("something is unpublished"),
    })
    .await;
    assert_eq!((second.value(), second.prev), (2, first.id));
    // Clocks may tick in whole milliseconds.
    assert!(
        since.elapsed() + Duration::from_millis(2) >= Duration::from_millis(400),
        "{:?}",
        since.elapsed()
    );
}

pub(crate) async fn a_zero_interval_leaves_the_gate_open(backend: &dyn Backend) {
    let (store, free) = (backend.store(), topic("free"));
    for value in 1..=3 {
        bump(&*store, &free, 1).await;
        assert_eq!(announcement(&*store, &free, gate(0)).await.value(), value);
    }
}

pub(crate) async fn a_reading_tells_what_is_published(backend: &dyn Backend) {
    let (store, watched) = (backend.store(), topic("watched"));
    bump(&*store, &watched, 1).await;
    let unpublished = read_one(&*store, &watched).await;
    assert_eq!(unpublished.published, EventId::default());
    announcement(&*store, &watched, ANY_TIME).await;
    let published = read_one(&*backend.store(), &watched).await;
    assert_eq!((published.id, published.published), (unpublished.id, unpublished.id));
    bump(&*store, &watched, 1).await;
    let behind = read_one(&*store, &watched).await;
    assert_eq!((behind.value(), behind.id.revision, behind.published), (2, 2, unpublished.id));
}

pub(crate) async fn claims_of_a_batch_are_answered_in_order(backend: &dyn Backend) {
    let store = backend.store();
    let topics: Vec<_> = (0..2500).map(|n| topic(&n.to_string())).collect();
    let changed = topics.iter().zip(1..).filter(|(_, n)| n % 2 == 0);
    store.write(changed.map(|(topic, n)| amount(topic, n)).collect()).await;
    for (claim, n) in store.claim(topics, ANY_TIME).await.into_iter().zip(1..) {
        match claim.expect("the store to answer") {
            Claim::Announce(announcement) => assert_eq!((announcement.value(), n % 2), (n, 0)),
            claim => assert_eq!((claim, n % 2), (Claim::Nothing, 1)),
        }
    }
}

pub(crate) async fn an_add_may_claim_its_own_change(backend: &dyn Backend) {
    let (store, own) = (backend.store(), topic("own"));
    let claiming = Write { claim: Some(LONG), ..amount(&own, 5) };
    let first = add_one(&*store, claiming.clone()).await.expect("counted").claimed.expect("a claim");
    assert_eq!((first.value(), first.id.revision, first.prev), (5, 1, EventId::default()));
    assert_eq!(claim_one(&*store, &own, ANY_TIME).await, Claim::Nothing);
    bump(&*store, &own, 1).await;
    let second = add_one(&*store, claiming).await.expect("counted").claimed.expect("a claim");
    assert_eq!((second.value(), second.id.revision, second.prev), (11, 3, first.id));
    let reading = read_one(&*store, &own).await;
    assert_eq!((reading.id, reading.published), (second.id, second.id));
    acknowledge(&*store, &own, second.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
}

pub(crate) async fn a_claim_inside_an_add_heeds_and_moves_no_gate(backend: &dyn Backend) {
    let (store, gated) = (backend.store(), topic("gated"));
    let claiming = Write { claim: Some(LONG), ..amount(&gated, 1) };
    add_one(&*store, claiming.clone()).await.expect("counted").claimed.expect("a claim");
    bump(&*store, &gated, 1).await;
    announcement(&*store, &gated, gate(600_000)).await;
    add_one(&*store, claiming).await.expect("counted").claimed.expect("a claim through the shut gate");
    bump(&*store, &gated, 1).await;
    let claim = claim_one(&*store, &gated, gate(600_000)).await;
    assert!(matches!(claim, Claim::Wait(_)), "{claim:?}");
}

pub(crate) async fn a_combination_may_claim_its_last_change(backend: &dyn Backend) {
    let (store, many) = (backend.store(), topic("many"));
    let combined = Write {
        claim: Some(LONG),
        ..combination(&many, Sum { total: 2, lowest: -1, highest: 3, changes: 3 })
    };
    for (value, revision, prev) in [(2, 3, 0), (4, 6, 3)] {
        let claimed = add_one(&*store, combined.clone()).await.expect("counted").claimed.expect("a claim");
        assert_eq!((claimed.value(), claimed.id.revision, claimed.prev.revision), (value, revision, prev));
    }
}

pub(crate) async fn a_replayed_key_claims_nothing(backend: &dyn Backend) {
    let (store, once) = (backend.store(), topic("once"));
    let claiming = Write { claim: Some(LONG), ..keyed(&once, 5, "k") };
    let first = add_one(&*store, claiming.clone()).await.expect("counted");
    assert_eq!(first.claimed.expect("a claim").value(), 5);
    let replay = add_one(&*store, claiming).await.expect("replayed");
    assert_eq!((replay.value, replay.replayed, replay.claimed), (5, true, None));
}

pub(crate) async fn a_refused_step_claims_nothing(backend: &dyn Backend) {
    let (store, full) = (backend.store(), topic("full"));
    bump(&*store, &full, LIMIT).await;
    let published = announcement(&*store, &full, ANY_TIME).await;
    let refused = add_one(&*store, Write { claim: Some(LONG), ..amount(&full, 1) }).await;
    assert!(matches!(refused, Err(WriteError::OutOfRange)), "{refused:?}");
    let reading = read_one(&*store, &full).await;
    assert_eq!((reading.id, reading.published), (published.id, published.id));
}
