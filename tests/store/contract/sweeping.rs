//! The outbox and its sweep.

use std::time::Instant;

use futures_util::future::join_all;
use livecounter::store::GRACE;

use super::*;

const AT_ONCE: Duration = Duration::from_millis(1);

async fn overdue(store: &dyn Store, limit: usize, pause: Duration) -> Vec<Topic> {
    store.overdue(limit, pause).await.expect("the store to answer")
}

/// Changes topics, and waits until a sweep returns them.
async fn neglect(store: &dyn Store, count: usize) -> Vec<Topic> {
    let topics: Vec<_> = (0..count).map(|n| topic(&format!("neglected-{n}"))).collect();
    store.write(topics.iter().map(|topic| amount(topic, 1)).collect()).await;
    eventually("all to become overdue", async || {
        (overdue(store, count, AT_ONCE).await.len() == count).then_some(())
    })
    .await;
    topics
}

pub(crate) async fn a_change_that_no_origin_announces_becomes_overdue(backend: &dyn Backend) {
    let (store, neglected) = (backend.store(), topic("neglected"));
    let since = Instant::now();
    bump(&*store, &neglected, 1).await;
    let found = eventually("the mark to become overdue", async || {
        Some(overdue(&*store, 10, AT_ONCE).await).filter(|found| !found.is_empty())
    })
    .await;
    assert_eq!(found, std::slice::from_ref(&neglected));
    // Clocks may tick in whole milliseconds.
    assert!(since.elapsed() + Duration::from_millis(2) >= GRACE, "{:?}", since.elapsed());
    let claimed = announcement(&*store, &neglected, ANY_TIME).await;
    let none = eventually("the sweep to open again", async || Some(overdue(&*store, 10, AT_ONCE).await));
    assert_eq!(none.await, []);
    acknowledge(&*store, &neglected, claimed.id).await;
}

pub(crate) async fn a_leased_mark_is_overdue_when_the_lease_runs_out(backend: &dyn Backend) {
    let store = backend.store();
    let (short, long) = (topic("short"), topic("long"));
    for (topic, terms) in [(&short, terms(0, 20)), (&long, ANY_TIME)] {
        bump(&*store, topic, 1).await;
        announcement(&*store, topic, terms).await;
        // A later change does not end the lease.
        bump(&*store, topic, 1).await;
    }
    let found = eventually("the lease to run out", async || {
        Some(overdue(&*store, 10, AT_ONCE).await).filter(|found| !found.is_empty())
    });
    assert_eq!(found.await, [short]);
}

pub(crate) async fn a_gated_mark_is_no_matter_for_sweeps_until_its_gate_has_opened(backend: &dyn Backend) {
    let (store, left) = (backend.store(), topic("left"));
    let [unasked, asked, behind] = ["unasked", "asked", "acknowledged-behind"].map(topic);
    let all = [&unasked, &asked, &behind];
    let (since, shut) = (Instant::now(), Duration::from_secs(3));
    let mut published = Vec::new();
    for topic in all {
        bump(&*store, topic, 1).await;
        published.push(announcement(&*store, topic, gate(3000)).await.id);
    }
    // Topics that change while their gate is shut: one without a mark, one whose claim was told to wait, and one with a lease.
    bump(&*store, &behind, 1).await;
    for (topic, id) in all.into_iter().zip(published) {
        acknowledge(&*store, topic, id).await;
    }
    for topic in [&unasked, &asked] {
        bump(&*store, topic, 1).await;
    }
    assert!(matches!(claim_one(&*store, &asked, gate(3000)).await, Claim::Wait(_)), "the gate is shut");
    bump(&*store, &left, 1).await;
    let mut found = Vec::new();
    eventually("all marks to be overdue", async || {
        for topic in overdue(&*store, 10, AT_ONCE).await {
            if !found.iter().any(|(known, _)| *known == topic) {
                found.push((topic, since.elapsed()));
            }
        }
        (found.len() == 4).then_some(())
    })
    .await;
    assert_eq!(found[0].0, left, "{found:?}");
    // The stores' clocks count milliseconds.
    let soonest = shut + GRACE - Duration::from_millis(2);
    assert!(found[1..].iter().all(|(_, after)| *after >= soonest), "{soonest:?}: {found:?}");
}

pub(crate) async fn the_sweep_is_open_to_one_caller_per_pause(backend: &dyn Backend) {
    let store = backend.store();
    neglect(&*store, 1).await;
    // The pause of the sweep before was 1 ms.
    let pause = Duration::from_millis(700);
    let since = eventually("the sweep to open", async || {
        let since = Instant::now();
        (!overdue(&*store, 10, pause).await.is_empty()).then_some(since)
    });
    let (since, long) = (since.await, Duration::from_secs(600));
    let stores: Vec<_> = (0..6).map(|_| backend.store()).collect();
    let found = eventually("the sweep to open again", async || {
        let sweeps = join_all(stores.iter().map(|store| overdue(&**store, 10, long))).await;
        Some(sweeps.iter().filter(|sweep| !sweep.is_empty()).count()).filter(|given| *given > 0)
    });
    assert_eq!(found.await, 1);
    assert!(since.elapsed() + Duration::from_millis(2) >= pause, "{:?}", since.elapsed());
    assert_eq!(overdue(&*store, 10, long).await, []);
}

pub(crate) async fn a_sweep_gives_at_most_its_limit(backend: &dyn Backend) {
    let store = backend.store();
    let mut left = neglect(&*store, 40).await;
    while !left.is_empty() {
        let found = eventually("more to be overdue", async || {
            Some(overdue(&*store, 15, AT_ONCE).await).filter(|found| !found.is_empty())
        })
        .await;
        assert!(found.len() <= 15, "{}", found.len());
        for topic in &found {
            let claimed = announcement(&*store, topic, ANY_TIME).await;
            acknowledge(&*store, topic, claimed.id).await;
        }
        left.retain(|topic| !found.contains(topic));
    }
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
}

pub(crate) async fn the_outbox_counts_marked_topics_once(backend: &dyn Backend) {
    let store = backend.store();
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    for id in ["a", "b", "a", "c", "a"] {
        bump(&*store, &topic(id), 1).await;
    }
    assert_eq!(backend.store().outbox_len().await.expect("a number"), 3);
    let claimed = announcement(&*store, &topic("a"), ANY_TIME).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 3);
    acknowledge(&*store, &topic("a"), claimed.id).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 2);
}

pub(crate) async fn a_store_in_order_answers_a_ping(backend: &dyn Backend) {
    backend.store().ping().await.expect("the store to answer");
}
