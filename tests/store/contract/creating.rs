//! New topics: the store says which are new, and creates none if the caller forbids it.

use livecounter::domain::LIMIT;
use livecounter::store::{Reading, Write, WriteError};

use livecounter::store::KeyUse;

use super::*;

fn to_known(add: Write) -> Write {
    Write { may_create: false, ..add }
}

/// Asserts that the topic has neither a value nor a mark.
async fn assert_is_not_there(store: &dyn Store, topic: &Topic) {
    assert_eq!(read_one(store, topic).await, Reading::default());
    assert_eq!(claim_one(store, topic, ANY_TIME).await, Claim::Nothing);
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
}

pub(crate) async fn the_first_change_of_a_topic_creates_it_and_no_other(backend: &dyn Backend) {
    let (store, new) = (backend.store(), topic("new"));
    let answers = store.write(vec![amount(&new, 1), amount(&new, -1), keyed(&new, 1, "k")]).await;
    let created: Vec<_> = answers.into_iter().map(|answer| answer.expect("counted").created).collect();
    assert_eq!(created, [true, false, false]);
    assert!(!add_one(&*store, keyed(&new, 1, "k")).await.expect("replayed").created);
    let published = announcement(&*store, &new, ANY_TIME).await;
    acknowledge(&*store, &new, published.id).await;
    assert!(!add_one(&*store, amount(&new, 1)).await.expect("counted").created, "behind an acknowledgement");
}

pub(crate) async fn every_way_to_add_tells_that_a_topic_is_new(backend: &dyn Backend) {
    let store = backend.store();
    let claiming = |add| Write { claim: Some(LONG), ..add };
    for add in [
        amount(&topic("plain"), 7),
        keyed(&topic("keyed"), 7, "k"),
        claiming(amount(&topic("claiming"), 7)),
        claiming(keyed(&topic("both"), 7, "k")),
    ] {
        let first = add_one(&*store, add.clone()).await.expect("counted");
        assert_eq!((first.value, first.created), (7, true), "{add:?}");
        assert_eq!(first.claimed.map(|claimed| claimed.value()), add.claim.map(|_| 7), "{add:?}");
        assert!(!add_one(&*store, add.clone()).await.expect("counted").created, "{add:?}");
    }
}

pub(crate) async fn a_topic_that_must_not_be_new_is_not_created(backend: &dyn Backend) {
    let (store, new) = (backend.store(), topic("new"));
    let claiming = Write { claim: Some(LONG), ..amount(&new, 1) };
    let combined = combination(&new, Sum { total: 2, lowest: -1, highest: 3, changes: 3 });
    for add in [amount(&new, 1), amount(&new, 0), keyed(&new, 1, "k"), claiming, combined] {
        let answer = add_one(&*store, to_known(add.clone())).await;
        assert!(matches!(answer, Err(WriteError::WouldBeNew)), "{add:?}: {answer:?}");
        assert_is_not_there(&*store, &new).await;
    }
    // The refused addition did not use up its key: the key is accepted with another amount.
    let added = add_one(&*store, keyed(&new, 5, "k")).await.expect("counted");
    assert_eq!((added.value, added.replayed, added.created), (5, false, true));
}

pub(crate) async fn an_add_that_must_not_create_may_add_to_an_existing_topic(backend: &dyn Backend) {
    let (store, known) = (backend.store(), topic("known"));
    bump(&*store, &known, 1).await;
    for (add, value) in [(amount(&known, 1), 2), (keyed(&known, 3, "k"), 5), (keyed(&known, 3, "k"), 5)] {
        assert_eq!(add_one(&*store, to_known(add)).await.expect("counted").value, value);
    }
    let reused = add_one(&*store, to_known(keyed(&known, 4, "k"))).await;
    assert!(matches!(reused, Err(WriteError::KeyReused(KeyUse::Add(3)))), "{reused:?}");
}

pub(crate) async fn each_item_of_a_batch_says_whether_it_may_create(backend: &dyn Backend) {
    let (store, a, b) = (backend.store(), topic("a"), topic("b"));
    let plain = vec![
        to_known(amount(&a, 1)),
        amount(&a, 2),
        to_known(amount(&a, 3)),
        to_known(amount(&b, 1)),
        amount(&b, 5),
    ];
    let keyed = vec![
        to_known(keyed(&topic("c"), 1, "k")),
        keyed(&topic("c"), 2, "k"),
        to_known(amount(&topic("c"), 3)),
        to_known(amount(&topic("d"), 1)),
        amount(&topic("d"), 5),
    ];
    for adds in [plain, keyed] {
        let answers = store.write(adds).await;
        let told: Vec<_> = answers
            .iter()
            .map(|answer| match answer {
                Ok(added) => (added.value, added.created),
                Err(WriteError::WouldBeNew) => (0, false),
                Err(error) => panic!("{error}"),
            })
            .collect();
        assert_eq!(told, [(0, false), (2, true), (5, false), (0, false), (5, true)]);
    }
}

pub(crate) async fn topics_are_counted_once(backend: &dyn Backend) {
    let store = backend.store();
    let count = async || store.topic_count().await.expect("a number");
    assert_eq!(count().await, 0);
    let topics: Vec<_> = (0..300).map(|n| topic(&n.to_string())).collect();
    for _ in 0..2 {
        store.write(topics.iter().map(|topic| amount(topic, 1)).collect()).await;
        assert_eq!(count().await, 300);
    }
    add_one(&*store, keyed(&topic("keyed"), 1, "k")).await.expect("counted");
    add_one(&*store, Write { claim: Some(LONG), ..amount(&topic("claimed"), 1) }).await.expect("counted");
    assert!(add_one(&*store, to_known(amount(&topic("new"), 1))).await.is_err());
    assert!(add_one(&*store, amount(&topics[0], LIMIT)).await.is_err());
    let published = announcement(&*store, &topics[0], ANY_TIME).await;
    acknowledge(&*store, &topics[0], published.id).await;
    bump(&*store, &topics[0], -2).await;
    assert_eq!(backend.store().topic_count().await.expect("a number"), count().await);
    assert_eq!(count().await, 302);
}

pub(crate) async fn a_refused_first_step_creates_nothing(backend: &dyn Backend) {
    let (store, new) = (backend.store(), topic("new"));
    let beyond = combination(&new, Sum { total: 1, lowest: -LIMIT - 1, highest: 1, changes: 3 });
    let refused = add_one(&*store, beyond).await;
    assert!(matches!(refused, Err(WriteError::OutOfRange)), "{refused:?}");
    let refused = add_one(&*store, to_known(amount(&new, 1))).await;
    assert!(matches!(refused, Err(WriteError::WouldBeNew)), "{refused:?}");
    assert_is_not_there(&*store, &new).await;
}
