//! The end of claims: they are acknowledged, or their lease runs out.

use livecounter::store::Write;

use super::*;

async fn claimed_again(store: &dyn Store, topic: &Topic) -> Announcement {
    eventually("the lease to run out", async || match claim_one(store, topic, ANY_TIME).await {
        Claim::Announce(announcement) => Some(announcement),
        _ => None,
    })
    .await
}

pub(crate) async fn an_unacknowledged_claim_is_announced_again_with_the_same_ids(backend: &dyn Backend) {
    let (store, lost) = (backend.store(), topic("lost"));
    bump(&*store, &lost, 1).await;
    let before = announcement(&*store, &lost, ANY_TIME).await;
    acknowledge(&*store, &lost, before.id).await;
    bump(&*store, &lost, 2).await;
    let first = announcement(&*store, &lost, terms(0, 100)).await;
    assert_eq!((first.value(), first.prev), (3, before.id));
    let again = claimed_again(&*backend.store(), &lost).await;
    assert_eq!(again, first);
    // The second claim has a lease of its own.
    assert_eq!(claim_one(&*store, &lost, ANY_TIME).await, Claim::Nothing);
    acknowledge(&*store, &lost, first.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
}

pub(crate) async fn an_unacknowledged_claim_of_an_add_is_announced_again_with_the_same_ids(
    backend: &dyn Backend,
) {
    let (store, lost) = (backend.store(), topic("lost"));
    let claiming = Write { claim: Some(Duration::from_millis(100)), ..amount(&lost, 7) };
    let first = add_one(&*store, claiming).await.expect("counted").claimed.expect("a claim");
    assert_eq!(first.prev, EventId::default());
    assert_eq!(claimed_again(&*backend.store(), &lost).await, first);
}

pub(crate) async fn a_newer_change_takes_the_place_of_an_unacknowledged_claim(backend: &dyn Backend) {
    let (store, lost) = (backend.store(), topic("lost"));
    bump(&*store, &lost, 1).await;
    let first = announcement(&*store, &lost, ANY_TIME).await;
    bump(&*store, &lost, 1).await;
    let second = announcement(&*store, &lost, terms(0, 50)).await;
    assert_eq!((second.value(), second.prev), (2, first.id));
    // The first origin acknowledges late: the mark belongs to the second claim by now.
    acknowledge(&*store, &lost, first.id).await;
    assert_eq!(claimed_again(&*store, &lost).await, second);
}

pub(crate) async fn an_acknowledged_claim_is_never_announced_again(backend: &dyn Backend) {
    let (store, done) = (backend.store(), topic("done"));
    bump(&*store, &done, 1).await;
    let claimed = announcement(&*store, &done, terms(0, 1)).await;
    acknowledge(&*store, &done, claimed.id).await;
    acknowledge(&*backend.store(), &done, claimed.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    // Another topic's lease of the same length running out shows that the time has passed.
    let clock = topic("clock");
    bump(&*store, &clock, 1).await;
    announcement(&*store, &clock, terms(0, 50)).await;
    claimed_again(&*store, &clock).await;
    assert_eq!(claim_one(&*store, &done, ANY_TIME).await, Claim::Nothing);
}

pub(crate) async fn acknowledging_an_older_claim_changes_nothing(backend: &dyn Backend) {
    let (store, busy) = (backend.store(), topic("busy"));
    bump(&*store, &busy, 1).await;
    let first = announcement(&*store, &busy, ANY_TIME).await;
    bump(&*store, &busy, 1).await;
    let second = announcement(&*store, &busy, ANY_TIME).await;
    acknowledge(&*store, &busy, first.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 1);
    acknowledge(&*store, &busy, second.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
}

pub(crate) async fn acknowledging_a_claim_of_another_epoch_changes_nothing(backend: &dyn Backend) {
    let reborn = topic("reborn");
    bump(&*backend.store(), &reborn, 1).await;
    let forgotten = announcement(&*backend.store(), &reborn, ANY_TIME).await;
    backend.forget().await;
    let store = backend.store();
    bump(&*store, &reborn, 1).await;
    let present = announcement(&*store, &reborn, ANY_TIME).await;
    assert_eq!(present.id.revision, forgotten.id.revision);
    acknowledge(&*store, &reborn, forgotten.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 1);
}

pub(crate) async fn a_change_during_a_claim_keeps_its_mark(backend: &dyn Backend) {
    let (store, busy) = (backend.store(), topic("busy"));
    bump(&*store, &busy, 1).await;
    let claimed = announcement(&*store, &busy, ANY_TIME).await;
    bump(&*store, &busy, 1).await;
    acknowledge(&*store, &busy, claimed.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 1);
    // The claim's lease was long. Once the claim is acknowledged, the later change is due after the grace.
    eventually("the change to become overdue", async || {
        let overdue = store.overdue(10, Duration::from_millis(1)).await.expect("the store to answer");
        overdue.contains(&busy).then_some(())
    })
    .await;
    assert_eq!(announcement(&*store, &busy, ANY_TIME).await.prev, claimed.id);
}
