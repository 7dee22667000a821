//! How merges change the fields of entities.

use std::sync::Arc;

use futures_util::future::join_all;
use livecounter::domain::{Document, FieldChanges, LIMIT, MergeError};
use livecounter::store::Body;

use super::*;

pub(super) fn entity(name: &str) -> Topic {
    format!("entity-analytics/{name}").parse().expect("a topic")
}

pub(super) fn fields(payload: &str) -> FieldChanges {
    FieldChanges::parse(payload.as_bytes()).expect("a payload")
}

pub(super) fn merging(entity: &Topic, payload: &str) -> Write {
    Write::merge(entity.clone(), fields(payload))
}

fn with_key(write: Write, key: &str) -> Write {
    Write { once: Some(Once::from(key.parse::<IdempotencyKey>().expect("a key"))), ..write }
}

pub(super) async fn merge(store: &dyn Store, entity: &Topic, payload: &str) -> Written {
    add_one(store, merging(entity, payload)).await.expect("merged")
}

async fn refusal(store: &dyn Store, entity: &Topic, payload: &str) -> MergeError {
    match add_one(store, merging(entity, payload)).await {
        Err(WriteError::Merge(refusal)) => refusal,
        other => panic!("expected a refusal of {payload}, not {other:?}"),
    }
}

/// The fields as JSON; `null` if there is no entity.
pub(super) fn shown(body: &Body) -> String {
    match body {
        Body::Document(document) => document.to_json(),
        Body::Gone => "null".to_owned(),
        other => panic!("expected fields, not {other:?}"),
    }
}

pub(super) async fn read_fields(store: &dyn Store, entity: &Topic) -> String {
    shown(&read_one(store, entity).await.body)
}

pub(crate) async fn changes_of_fields_are_made_together(backend: &dyn Backend) {
    let (store, daily) = (backend.store(), entity("daily/2026-02-10"));
    assert_eq!(read_one(&*store, &daily).await, Reading::default());
    let first = merge(&*store, &daily, r#"{"+views":1,"title":"ä \"x\"","tags":[1,{"a":null}],"0":0}"#).await;
    let second = merge(&*store, &daily, r#"{"+views":41,"tags":null,"none":null,"+lost":-3}"#).await;
    let expected = r#"{"0":0,"lost":-3,"title":"ä \"x\"","views":42}"#;
    assert_eq!(read_fields(&*store, &daily).await, expected);
    assert_eq!(read_fields(&*backend.store(), &daily).await, expected);
    let (first_stamp, second_stamp) = (first.stamp.expect("a stamp"), second.stamp.expect("a stamp"));
    assert!(first.created && !second.created && !second.replayed, "{first:?} {second:?}");
    assert_eq!((first_stamp.id.revision, second_stamp.id.revision), (1, 2));
    assert!(first_stamp.at > 1_700_000_000_000 && second_stamp.at >= first_stamp.at, "{second_stamp:?}");
    assert_eq!(read_one(&*store, &daily).await.id, second_stamp.id);
    // An entity may be empty.
    let empty = entity("empty");
    assert!(merge(&*store, &empty, "{}").await.created);
    assert_eq!(read_fields(&*store, &empty).await, "{}");
    merge(&*store, &empty, r#"{"a":1}"#).await;
    merge(&*store, &empty, r#"{"a":null}"#).await;
    assert_eq!(read_fields(&*store, &empty).await, "{}");
}

pub(crate) async fn an_addition_to_a_text_changes_nothing(backend: &dyn Backend) {
    let (store, daily) = (backend.store(), entity("daily"));
    let at_most = format!(r#"{{"text":"1","half":0.5,"power":1e3,"far":9007199254740992,"most":{LIMIT}}}"#);
    merge(&*store, &daily, &at_most).await;
    let before = (read_one(&*store, &daily).await, store.outbox_len().await.expect("a number"));
    for name in ["text", "half", "power", "far"] {
        let payload = format!(r#"{{"new":1,"+{name}":1,"power":null}}"#);
        let payload = if name == "power" { r#"{"new":1,"+power":1}"#.to_owned() } else { payload };
        assert_eq!(refusal(&*store, &daily, &payload).await, MergeError::NotWhole(name.into()));
    }
    let refused = refusal(&*store, &daily, r#"{"new":1,"+most":1}"#).await;
    assert_eq!(refused, MergeError::TooLarge("most".into()));
    assert_eq!((read_one(&*store, &daily).await, store.outbox_len().await.expect("a number")), before);
    merge(&*store, &daily, r#"{"+most":0,"+least":-9007199254740991}"#).await;
    let refused = refusal(&*store, &daily, r#"{"+least":-1}"#).await;
    assert_eq!(refused, MergeError::TooLarge("least".into()));
    // A refused merge creates nothing.
    let new = entity("new");
    let names: Vec<String> = (0..257).map(|field| format!("\"+{field}\":1")).collect();
    let (first, second) = names.split_at(200);
    merge(&*store, &new, &format!("{{{}}}", first.join(","))).await;
    let refused = refusal(&*store, &new, &format!("{{{}}}", second.join(","))).await;
    assert_eq!(refused, MergeError::TooManyFields(257));
}

pub(crate) async fn an_entity_has_bounds_that_a_merge_cannot_cross(backend: &dyn Backend) {
    let (store, full) = (backend.store(), entity("full"));
    // The name has 1 byte and the quotation marks have 2.
    let text = "x".repeat(Document::MAX_BYTES - 3);
    merge(&*store, &full, &format!(r#"{{"a":"{text}"}}"#)).await;
    assert_eq!(refusal(&*store, &full, r#"{"b":1}"#).await, MergeError::TooLong(Document::MAX_BYTES + 2));
    assert_eq!(refusal(&*store, &full, r#"{"+b":0}"#).await, MergeError::TooLong(Document::MAX_BYTES + 2));
    // What a merge removes makes room for what it sets.
    merge(&*store, &full, r#"{"a":"y","b":1}"#).await;
    assert_eq!(read_fields(&*store, &full).await, r#"{"a":"y","b":1}"#);
    merge(&*store, &full, &format!(r#"{{"a":"{}"}}"#, "x".repeat(Document::MAX_BYTES - 5))).await;
    assert_eq!(refusal(&*store, &full, r#"{"+b":9}"#).await, MergeError::TooLong(Document::MAX_BYTES + 1));
    // 256 fields are the most.
    let many = entity("many");
    let names: Vec<String> = (0..256).map(|field| format!("\"{field}\":1")).collect();
    merge(&*store, &many, &format!("{{{}}}", names.join(","))).await;
    assert_eq!(refusal(&*store, &many, r#"{"more":1}"#).await, MergeError::TooManyFields(257));
    merge(&*store, &many, r#"{"more":1,"7":null}"#).await;
    assert_eq!(refusal(&*store, &many, r#"{"7":1}"#).await, MergeError::TooManyFields(257));
}

pub(crate) async fn concurrent_additions_to_fields_lose_nothing(backend: &dyn Backend) {
    let daily = entity("daily");
    let stores: Vec<_> = (0..3).map(|_| backend.store()).collect();
    let adding = (0..1000).map(|n| {
        let (store, payload) = (Arc::clone(&stores[n % 3]), format!(r#"{{"+all":1,"+of-{}":2}}"#, n % 3));
        let write = merging(&daily, &payload);
        tokio::spawn(async move { add_one(&*store, write).await.expect("merged").stamp.expect("a stamp") })
    });
    let stamps = join_all(adding.collect::<Vec<_>>()).await;
    let mut revisions: Vec<_> =
        stamps.into_iter().map(|stamp| stamp.expect("no panic").id.revision).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=1000).collect::<Vec<_>>(), "every merge has a revision of its own");
    let expected = r#"{"all":1000,"of-0":668,"of-1":666,"of-2":666}"#;
    assert_eq!(read_fields(&*stores[1], &daily).await, expected);
}

pub(crate) async fn merges_of_one_batch_are_answered_one_by_one(backend: &dyn Backend) {
    let (store, daily, other) = (backend.store(), entity("daily"), entity("other"));
    let most = format!(r#"{{"+n":{LIMIT}}}"#);
    let batch = async |payloads: &[(&Topic, &str)]| {
        let writes = payloads.iter().map(|(entity, payload)| merging(entity, payload)).collect();
        let answers = store.write(writes).await;
        let answer = |answer: Result<Written, WriteError>| match answer {
            Ok(written) => Ok((written.stamp.expect("a stamp").id.revision, written.created)),
            Err(WriteError::Merge(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        };
        answers.into_iter().map(answer).collect::<Vec<_>>()
    };
    let first = [
        (&daily, r#"{"+n":1,"t":"x"}"#),
        (&other, r#"{"+n":5}"#),
        (&daily, r#"{"+n":2,"+m":-1}"#),
        (&daily, r#"{"+m":-1,"t":"y"}"#),
        (&other, "{}"),
    ];
    let expected = [(1, true), (1, true), (2, false), (3, false), (2, false)].map(Ok);
    assert_eq!(batch(&first).await, expected);
    assert_eq!(read_fields(&*store, &daily).await, r#"{"m":-2,"n":3,"t":"y"}"#);
    assert_eq!(read_fields(&*store, &other).await, r#"{"n":5}"#);
    assert_eq!(read_one(&*store, &daily).await.id.revision, 3);
    // What an entity refuses changes nothing, and does not touch the others of the batch.
    let second = [
        (&daily, r#"{"+n":1}"#),
        (&daily, r#"{"+t":1}"#),
        (&daily, most.as_str()),
        (&daily, r#"{"+n":1,"new":true}"#),
    ];
    let refusals = [MergeError::NotWhole("t".into()), MergeError::TooLarge("n".into())];
    let [no_number, too_large] = refusals.map(Err);
    assert_eq!(batch(&second).await, [Ok((4, false)), no_number, too_large, Ok((5, false))]);
    assert_eq!(read_fields(&*store, &daily).await, r#"{"m":-2,"n":5,"new":true,"t":"y"}"#);
    // Changes that follow on each other are made in their order.
    let third = [
        (&daily, r#"{"+n":1}"#),
        (&daily, r#"{"n":null}"#),
        (&daily, r#"{"+n":7}"#),
        (&daily, r#"{"+n":7}"#),
    ];
    assert_eq!(batch(&third).await, [6, 7, 8, 9].map(|revision| Ok((revision, false))));
    assert_eq!(read_fields(&*store, &daily).await, r#"{"m":-2,"n":14,"new":true,"t":"y"}"#);
    // An entity that is deleted begins empty, and its revisions go on.
    assert!(add_one(&*store, Write::new(daily.clone(), Change::Delete)).await.expect("deleted").removed);
    let again = [(&daily, r#"{"+n":1}"#), (&daily, r#"{"+n":1}"#)];
    assert_eq!(batch(&again).await, [Ok((11, true)), Ok((12, false))]);
    assert_eq!(read_fields(&*store, &daily).await, r#"{"n":2}"#);
}

pub(crate) async fn a_repeated_merge_gets_the_first_answer(backend: &dyn Backend) {
    let (store, daily) = (backend.store(), entity("daily"));
    let keyed = |payload: &str| with_key(merging(&daily, payload), "k:1");
    let first = add_one(&*store, keyed(r#"{"+a":1,"b":2}"#)).await.expect("merged");
    merge(&*store, &daily, r#"{"+a":1}"#).await;
    let again = add_one(&*backend.store(), keyed(r#"{"+a":1,"b":2}"#)).await.expect("an answer");
    assert_eq!(again, Written { created: false, replayed: true, ..first.clone() });
    assert_eq!(read_fields(&*store, &daily).await, r#"{"a":2,"b":2}"#);
    for other in [r#"{"+a":1,"b":3}"#, r#"{"a":1,"b":2}"#, r#"{"+a":1}"#, "{}"] {
        let refused = add_one(&*store, keyed(other)).await;
        assert!(matches!(refused, Err(WriteError::KeyReused(_))), "{other}: {refused:?}");
    }
    let refused = add_one(&*store, with_key(deletion(&daily), "k:1")).await;
    assert!(matches!(refused, Err(WriteError::KeyReused(_))), "{refused:?}");
    // A refused merge does not use up its key; a deletion uses its key.
    let refused =
        add_one(&*store, with_key(merging(&daily, r#"{"+b":1,"+c":9007199254740991}"#), "k2")).await;
    assert!(refused.is_ok(), "{refused:?}");
    let too_large = add_one(&*store, with_key(merging(&daily, r#"{"+c":1}"#), "k3")).await;
    assert!(matches!(too_large, Err(WriteError::Merge(_))), "{too_large:?}");
    assert!(add_one(&*store, with_key(merging(&daily, r#"{"c":1}"#), "k3")).await.is_ok());
    assert!(add_one(&*store, with_key(deletion(&daily), "k4")).await.expect("deleted").removed);
    merge(&*store, &daily, r#"{"a":5}"#).await;
    let again = add_one(&*store, with_key(deletion(&daily), "k4")).await.expect("an answer");
    assert!(again.removed && again.replayed, "{again:?}");
    assert_eq!(read_fields(&*store, &daily).await, r#"{"a":5}"#);
    // The key of an entity may contain what separates names from keys.
    let (one, other) = (entity("a"), entity("a:b"));
    add_one(&*store, with_key(merging(&one, r#"{"+n":1}"#), "b:c")).await.expect("merged");
    let written = add_one(&*store, with_key(merging(&other, r#"{"+n":1}"#), "c")).await.expect("merged");
    assert!(!written.replayed, "{written:?}");
}

pub(crate) async fn a_merge_repeated_after_its_announcement_announces_nothing(backend: &dyn Backend) {
    let (store, daily) = (backend.store(), entity("daily"));
    let keyed = || with_key(merging(&daily, r#"{"+a":1}"#), "k");
    let first = add_one(&*store, keyed()).await.expect("merged");
    let claimed = announcement(&*store, &daily, ANY_TIME).await;
    let replayed = Written { created: false, replayed: true, ..first.clone() };
    assert_eq!(add_one(&*store, keyed()).await.expect("an answer"), replayed);
    acknowledge(&*store, &daily, claimed.id).await;
    assert_eq!(add_one(&*store, keyed()).await.expect("an answer"), replayed);
    assert_eq!(claim_one(&*store, &daily, ANY_TIME).await, Claim::Nothing);
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    assert_eq!((read_fields(&*store, &daily).await.as_str(), claimed.id.revision), (r#"{"a":1}"#, 1));
    // A deletion does not make the key new.
    add_one(&*store, deletion(&daily)).await.expect("deleted");
    assert_eq!(add_one(&*store, keyed()).await.expect("an answer"), replayed);
    assert_eq!(read_fields(&*store, &daily).await, "null");
}

pub(crate) async fn a_change_of_another_form_is_refused(backend: &dyn Backend) {
    let (store, daily, number) = (backend.store(), entity("daily"), topic("2"));
    for wrong in [amount(&daily, 1), setting(&daily, 1), merging(&number, r#"{"a":1}"#)] {
        let refused = add_one(&*store, wrong).await;
        assert!(matches!(refused, Err(WriteError::Unavailable(_))), "{refused:?}");
    }
    for untouched in [&daily, &number] {
        assert_eq!(read_one(&*store, untouched).await, Reading::default());
    }
}

pub(crate) async fn merges_agree_with_the_domain(backend: &dyn Backend) {
    let (store, daily) = (backend.store(), entity("daily"));
    let (mut expected, mut seed) = (Document::default(), 7_u64);
    let values = [
        "1",
        "-0",
        "\"x\"",
        "null",
        "1.5",
        "[1,2]",
        "9007199254740991",
        "-9007199254740991",
        "12345678901234567890",
    ];
    for _ in 0..400 {
        let mut next = |most: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % most
        };
        let members: Vec<String> = (0..next(4))
            .map(|field| match next(2) {
                0 => format!("\"+{field}\":{}", ["1", "-1", "0", "9007199254740991"][next(4)]),
                _ => format!("\"{field}\":{}", values[next(values.len())]),
            })
            .collect();
        let payload = format!("{{{}}}", members.join(","));
        let answer = add_one(&*store, merging(&daily, &payload)).await;
        match (expected.merged(&fields(&payload)), answer) {
            (Ok(merged), Ok(_)) => expected = merged,
            (Err(refusal), Err(WriteError::Merge(found))) => assert_eq!(found, refusal, "{payload}"),
            (expected, answer) => panic!("{payload}: {answer:?}, not {expected:?}"),
        }
        assert_eq!(read_fields(&*store, &daily).await, expected.to_json(), "behind {payload}");
    }
}
