//! The events of feeds.

use livecounter::domain::{FeedEvent, FeedRetention, GapReason, JsonText, Route};
use livecounter::store::{Body, FeedPage, KeyUse, Once, Stamp};

use super::*;

fn feed(name: &str) -> Topic {
    Topic::feed(&name.parse::<Route>().expect("a route"))
}

fn json(text: &str) -> JsonText {
    JsonText::parse(text.as_bytes()).expect("JSON")
}

fn append(feed: &Topic, events: &[&str]) -> Write {
    let events: Vec<JsonText> = events.iter().map(|text| json(text)).collect();
    Write::new(feed.clone(), Change::Append(events.into()))
}

async fn appended(store: &dyn Store, feed: &Topic, events: &[&str]) -> Stamp {
    add_one(store, append(feed, events)).await.expect("appended").stamp.expect("a stamp")
}

fn texts(events: &[FeedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.data.as_str()).collect()
}

/// Claims the feed. Returns the ids, and the data of the events.
async fn claimed(store: &dyn Store, feed: &Topic, terms: ClaimTerms) -> (EventId, EventId, Vec<String>) {
    let Announcement { body, id, prev } = announcement(store, feed, terms).await;
    let Body::Events(events) = body else { panic!("expected events, not {body:?}") };
    assert!(events.iter().all(|event| event.id.epoch == id.epoch && event.at > 1_700_000_000_000));
    let revisions: Vec<u64> = events.iter().map(|event| event.id.revision).collect();
    assert_eq!(revisions, (prev.revision + 1..=id.revision).collect::<Vec<_>>(), "one after the other");
    (prev, id, texts(&events).into_iter().map(str::to_owned).collect())
}

async fn missed(store: &dyn Store, feed: &Topic, seen: EventId) -> Result<Vec<String>, GapReason> {
    let missed = store.after(feed, seen).await.expect("an answer");
    missed.events.map(|events| texts(&events).into_iter().map(str::to_owned).collect())
}

async fn page(store: &dyn Store, feed: &Topic, before: Option<u64>, limit: usize) -> FeedPage {
    store.before(feed, before, limit).await.expect("a page")
}

pub(crate) async fn a_claim_of_a_feed_has_all_events_since_the_claim_before(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("app/chat"));
    let first = add_one(&*store, append(&chat, &["1"])).await.expect("appended");
    let stamp = first.stamp.expect("a stamp");
    assert_eq!((first.created, first.replayed, stamp.id.revision), (true, false, 1));
    assert!(stamp.at > 1_700_000_000_000);
    assert_eq!(appended(&*store, &chat, &["{\"a\":2}", "\"é\""]).await.id.revision, 3);
    let (prev, id, events) = claimed(&*store, &chat, ANY_TIME).await;
    assert_eq!((prev, events), (EventId::default(), vec!["1".into(), "{\"a\":2}".into(), "\"é\"".into()]));
    assert_eq!(id, EventId { revision: 3, ..stamp.id });
    appended(&*store, &chat, &["4"]).await;
    let (prev, last, events) = claimed(&*store, &chat, ANY_TIME).await;
    assert_eq!((prev, last.revision, events), (id, 4, vec!["4".to_owned()]));
    assert_eq!(claim_one(&*store, &chat, ANY_TIME).await, Claim::Nothing);
    acknowledge(&*store, &chat, last).await;
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    assert_eq!(store.topic_count().await.expect("a number"), 1);
    assert_eq!(read_one(&*store, &chat).await.body, Body::Events(std::sync::Arc::default()));
}

pub(crate) async fn events_of_one_batch_keep_their_order_and_have_ids(backend: &dyn Backend) {
    let (store, chat, news) = (backend.store(), feed("app/chat"), feed("news"));
    let once = |write: Write| Write {
        once: Some(Once::from("k".parse::<IdempotencyKey>().expect("a key"))),
        ..write
    };
    let batch = || {
        vec![
            append(&chat, &["1"]),
            append(&news, &["10"]),
            append(&chat, &["2", "3"]),
            once(append(&chat, &["4"])),
            append(&chat, &["5"]),
            append(&news, &["11"]),
            append(&chat, &["6"]),
        ]
    };
    let ids = |answers: Vec<Result<Written, WriteError>>| {
        let answer = |answer: Result<Written, WriteError>| answer.expect("appended");
        let shown = |written: Written| (written.stamp.expect("a stamp").id.revision, written.created);
        answers.into_iter().map(answer).map(shown).collect::<Vec<_>>()
    };
    let first = [(1, true), (1, true), (3, false), (4, false), (5, false), (2, false), (6, false)];
    assert_eq!(ids(store.write(batch()).await), first);
    let second = [(7, false), (3, false), (9, false), (4, false), (10, false), (4, false), (11, false)];
    assert_eq!(ids(store.write(batch()).await), second, "the event with a key is there already");
    let (_, _, events) = claimed(&*store, &chat, ANY_TIME).await;
    assert_eq!(events.join(""), "12345612356");
    assert_eq!(claimed(&*store, &news, ANY_TIME).await.2.join(" "), "10 11 10 11");
}

pub(crate) async fn many_events_of_one_change_keep_their_order(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("app/chat"));
    let events: Vec<String> = (0..27).map(|event| event.to_string()).collect();
    appended(&*store, &chat, &events.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(claimed(&*store, &chat, ANY_TIME).await.2, events);
    assert_eq!(missed(&*store, &chat, EventId::default()).await, Ok(events));
}

pub(crate) async fn a_shut_gate_makes_claimants_of_a_feed_wait(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    appended(&*store, &chat, &["1"]).await;
    claimed(&*store, &chat, gate(600_000)).await;
    appended(&*store, &chat, &["2"]).await;
    let claim = claim_one(&*backend.store(), &chat, gate(600_000)).await;
    let Claim::Wait(rest) = claim else { panic!("a wait, not {claim:?}") };
    assert!(rest <= Duration::from_millis(600_000));
}

pub(crate) async fn a_gate_that_opens_gives_all_events_that_have_waited(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    appended(&*store, &chat, &["1"]).await;
    let (_, id, _) = claimed(&*store, &chat, gate(300)).await;
    store.write(vec![append(&chat, &["2"]), append(&chat, &["3"])]).await;
    let (prev, events) =
        eventually("the gate to open", async || match claim_one(&*store, &chat, ANY_TIME).await {
            Claim::Announce(Announcement { body: Body::Events(events), prev, .. }) => {
                Some((prev, texts(&events).join(",")))
            }
            _ => None,
        })
        .await;
    assert_eq!((prev, events), (id, "2,3".into()));
}

pub(crate) async fn an_unacknowledged_claim_of_a_feed_has_the_same_events_again(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    appended(&*store, &chat, &["1"]).await;
    let first = announcement(&*store, &chat, ANY_TIME).await;
    acknowledge(&*store, &chat, first.id).await;
    appended(&*store, &chat, &["2", "3"]).await;
    let lost = announcement(&*store, &chat, terms(0, 100)).await;
    let again = eventually("the lease to run out", async || {
        match claim_one(&*backend.store(), &chat, ANY_TIME).await {
            Claim::Announce(announcement) => Some(announcement),
            _ => None,
        }
    })
    .await;
    assert_eq!(again, lost);
    let overdue = store.overdue(9, Duration::from_millis(1)).await.expect("topics");
    assert!(overdue.is_empty(), "the second claim has a lease of its own: {overdue:?}");
}

pub(crate) async fn a_listener_is_told_exactly_what_it_has_missed(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    let none = EventId::default();
    assert_eq!(missed(&*store, &chat, none).await, Ok(Vec::new()), "of a feed that does not exist");
    let one = appended(&*store, &chat, &["1"]).await.id;
    assert_eq!(missed(&*store, &chat, none).await, Ok(Vec::new()), "what is not claimed is not told");
    claimed(&*store, &chat, ANY_TIME).await;
    appended(&*store, &chat, &["2", "3"]).await;
    let (_, three, _) = claimed(&*store, &chat, ANY_TIME).await;
    let four = appended(&*store, &chat, &["4"]).await.id;
    assert_eq!(missed(&*store, &chat, none).await, Ok(vec!["1".into(), "2".into(), "3".into()]));
    assert_eq!(missed(&*store, &chat, one).await, Ok(vec!["2".into(), "3".into()]));
    assert_eq!(missed(&*store, &chat, three).await, Ok(Vec::new()));
    assert_eq!(missed(&*store, &chat, four).await, Ok(Vec::new()), "not claimed, but known");
    assert_eq!(store.after(&chat, one).await.expect("an answer").published, three);
    let foreign: EventId = "1-1".parse().expect("an id");
    for lost in [EventId { revision: 5, ..one }, foreign] {
        assert_eq!(missed(&*store, &chat, lost).await, Err(GapReason::Unknown));
    }
}

pub(crate) async fn a_page_of_a_feed_has_the_last_events_before_a_revision(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    let empty = FeedPage { published: EventId::default(), events: Vec::new() };
    assert_eq!(page(&*store, &chat, None, 5).await, empty);
    appended(&*store, &chat, &["1", "2", "3", "4"]).await;
    let (_, four, _) = claimed(&*store, &chat, ANY_TIME).await;
    appended(&*store, &chat, &["5"]).await;
    let last = page(&*store, &chat, None, 3).await;
    assert_eq!((last.published, texts(&last.events)), (four, vec!["2", "3", "4"]));
    assert_eq!(texts(&page(&*store, &chat, Some(2), 3).await.events), ["1"]);
    assert_eq!(texts(&page(&*store, &chat, Some(99), 1).await.events), ["4"]);
    for (before, limit) in [(Some(1), 5), (Some(0), 5), (None, 0), (Some(4), 0)] {
        assert!(page(&*store, &chat, before, limit).await.events.is_empty(), "{before:?} {limit}");
    }
}

pub(crate) async fn a_feed_keeps_so_many_events_and_the_rest_is_a_gap(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    let most = u64::from(FeedRetention::DEFAULT.events);
    for _ in 0..most {
        appended(&*store, &chat, &["1"]).await;
    }
    let (_, id, events) = claimed(&*store, &chat, ANY_TIME).await;
    assert_eq!(events.len() as u64, most);
    let first = EventId { revision: 1, ..id };
    assert!(missed(&*store, &chat, EventId::default()).await.is_ok());
    appended(&*store, &chat, &["2"]).await;
    assert_eq!(missed(&*store, &chat, EventId::default()).await, Err(GapReason::Expired));
    assert_eq!(missed(&*store, &chat, first).await.map(|events| events.len() as u64), Ok(most - 1));
    assert_eq!(
        page(&*store, &chat, None, usize::MAX).await.events.len() as u64,
        most - 1,
        "the last one waits"
    );
}

pub(crate) async fn a_feed_keeps_so_many_bytes_and_always_the_newest_event(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    let large = format!("\"{}\"", "x".repeat(16_000));
    for _ in 0..20 {
        appended(&*store, &chat, &[&large]).await;
        claimed(&*store, &chat, ANY_TIME).await;
    }
    let kept = page(&*store, &chat, None, usize::MAX).await.events;
    let bytes: usize = kept.iter().map(|event| event.data.as_str().len()).sum();
    assert!(bytes as u64 <= FeedRetention::DEFAULT.bytes && kept.len() == 16, "{} events", kept.len());
    assert_eq!(kept.last().map(|event| event.id.revision), Some(20));
}

pub(crate) async fn events_that_wait_for_their_claim_stay_longer(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    let most = u64::from(FeedRetention::DEFAULT.events);
    let hundred = ["1"; 100];
    for _ in 0..=4 * most / 100 {
        appended(&*store, &chat, &hundred).await;
    }
    let claim = announcement(&*store, &chat, ANY_TIME).await;
    let Body::Events(events) = claim.body else { panic!("expected events") };
    assert_eq!(events.len() as u64, 4 * most, "and no more");
    assert_eq!(events.last().map(|event| event.id), Some(claim.id));
}

pub(crate) async fn a_repeated_append_is_answered_as_the_first_one(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("app/chat"));
    let keyed = |events: &[&str]| {
        let key: IdempotencyKey = "k".parse().expect("a key");
        Write { once: Some(Once::from(key)), ..append(&chat, events) }
    };
    let first = add_one(&*store, keyed(&["1", "2"])).await.expect("appended");
    appended(&*store, &chat, &["3"]).await;
    let again = add_one(&*store, keyed(&["1", "2"])).await.expect("replayed");
    assert_eq!((again.stamp, again.replayed, again.created), (first.stamp, true, false));
    for other in [&["1"][..], &["12"], &["1", "2", "3"]] {
        let refused = add_one(&*store, keyed(other)).await;
        assert!(matches!(refused, Err(WriteError::KeyReused(_))), "{refused:?}");
    }
    assert_eq!(claimed(&*store, &chat, ANY_TIME).await.2, ["1", "2", "3"]);
}

pub(crate) async fn an_append_repeated_after_its_announcement_announces_nothing(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    let keyed = || {
        let key: IdempotencyKey = "k".parse().expect("a key");
        Write { once: Some(Once::from(key)), ..append(&chat, &["1"]) }
    };
    let first = add_one(&*store, keyed()).await.expect("appended");
    let (_, id, _) = claimed(&*store, &chat, ANY_TIME).await;
    for acknowledged in [false, true] {
        let again = add_one(&*store, keyed()).await.expect("an answer");
        assert_eq!((again.stamp, again.replayed), (first.stamp, true), "{acknowledged}");
        acknowledge(&*store, &chat, id).await;
    }
    assert_eq!(claim_one(&*store, &chat, ANY_TIME).await, Claim::Nothing);
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    assert_eq!(texts(&page(&*store, &chat, None, 9).await.events), ["1"]);
}

pub(crate) async fn a_feed_is_created_only_by_an_append_that_may(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    let careful = || Write { may_create: false, ..append(&chat, &["1"]) };
    assert!(matches!(add_one(&*store, careful()).await, Err(WriteError::WouldBeNew)));
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
    assert_eq!(store.topic_count().await.expect("a number"), 0);
    assert!(add_one(&*store, append(&chat, &["1"])).await.expect("appended").created);
    assert!(!add_one(&*store, careful()).await.expect("appended").created);
}

pub(crate) async fn a_deleted_feed_has_no_events_and_begins_again_behind_them(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    assert!(!add_one(&*store, deletion(&chat)).await.expect("nothing to delete").removed);
    let one = appended(&*store, &chat, &["1"]).await.id;
    claimed(&*store, &chat, ANY_TIME).await;
    assert!(add_one(&*store, deletion(&chat)).await.expect("deleted").removed);
    assert_eq!(store.topic_count().await.expect("a number"), 0);
    let gone = announcement(&*store, &chat, ANY_TIME).await;
    assert_eq!((gone.body, gone.prev, gone.id.revision), (Body::Gone, one, 2));
    acknowledge(&*store, &chat, gone.id).await;
    let left = page(&*store, &chat, None, 9).await;
    assert_eq!((left.published, left.events.len()), (gone.id, 0));
    assert_eq!(missed(&*store, &chat, gone.id).await, Ok(Vec::new()), "the deletion was seen last");
    let from_before = async || {
        let missed = store.after(&chat, one).await.expect("an answer");
        (missed.deletion, missed.events.map(|events| texts(&events).join(" ")))
    };
    assert_eq!(from_before().await, (Some(gone.id), Ok(String::new())));
    let again = add_one(&*store, append(&chat, &["3"])).await.expect("appended");
    assert_eq!((again.created, again.stamp.map(|stamp| stamp.id.revision)), (true, Some(3)));
    assert_eq!(claimed(&*store, &chat, ANY_TIME).await.2, ["3"]);
    assert_eq!(from_before().await, (Some(gone.id), Ok("3".into())));
    assert_eq!(missed(&*store, &chat, gone.id).await, Ok(vec!["3".into()]));
}

pub(crate) async fn events_after_a_deletion_that_was_not_announced_are_told(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    appended(&*store, &chat, &["1", "2", "3"]).await;
    let (_, seen, _) = claimed(&*store, &chat, ANY_TIME).await;
    let one = EventId { revision: 1, ..seen };
    add_one(&*store, deletion(&chat)).await.expect("deleted");
    let unclaimed = store.after(&chat, seen).await.expect("an answer");
    assert_eq!((unclaimed.deletion, unclaimed.events), (None, Ok(Vec::new())), "the deletion is not claimed");
    appended(&*store, &chat, &["5", "6"]).await;
    assert_eq!(
        missed(&*store, &chat, one).await,
        Err(GapReason::Expired),
        "2 and 3 were claimed, and are gone"
    );
    announcement(&*store, &chat, ANY_TIME).await;
    for seen in [one, seen] {
        let missed = store.after(&chat, seen).await.expect("an answer");
        assert_eq!(missed.deletion, Some(EventId { revision: 4, ..seen }));
        assert_eq!(missed.events.map(|events| texts(&events).join(" ")), Ok("5 6".into()));
    }
}

pub(crate) async fn a_repeated_deletion_of_a_feed_spares_the_events_after_it(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    let once = |key: &str| Some(Once::from(key.parse::<IdempotencyKey>().expect("a key")));
    let keyed = |write| Write { once: once("one"), ..write };
    appended(&*store, &chat, &["1"]).await;
    assert!(add_one(&*store, keyed(deletion(&chat))).await.expect("deleted").removed);
    appended(&*store, &chat, &["2"]).await;
    let again = add_one(&*store, keyed(deletion(&chat))).await.expect("the first answer");
    assert_eq!((again.removed, again.replayed), (true, true));
    let Body::Events(left) = announcement(&*store, &chat, ANY_TIME).await.body else { panic!("no events") };
    assert_eq!(texts(&left), ["2"]);
    let other = add_one(&*store, keyed(append(&chat, &["3"]))).await;
    assert!(matches!(other, Err(WriteError::KeyReused(KeyUse::Delete))), "{other:?}");
    add_one(&*store, Write { once: once("two"), ..append(&chat, &["3"]) }).await.expect("appended");
    let other = add_one(&*store, Write { once: once("two"), ..deletion(&chat) }).await;
    assert!(matches!(other, Err(WriteError::KeyReused(KeyUse::Append(_)))), "{other:?}");
}

pub(crate) async fn numbers_and_events_of_a_batch_are_answered_in_order(backend: &dyn Backend) {
    let (store, chat, count) = (backend.store(), feed("chat"), topic("1"));
    let batch = vec![amount(&count, 5), append(&chat, &["1"]), amount(&count, 2), append(&chat, &["2", "3"])];
    let answers: Vec<_> = store.write(batch).await.into_iter().map(|answer| answer.expect("done")).collect();
    let told: Vec<_> = answers.iter().map(|it| (it.value, it.stamp.map(|stamp| stamp.id.revision))).collect();
    assert_eq!(told, [(5, None), (0, Some(1)), (7, None), (0, Some(3))]);
    let claims = store.claim(vec![chat.clone(), count.clone(), feed("other")], ANY_TIME).await;
    let claims: Vec<_> = claims.into_iter().map(|claim| claim.expect("an answer")).collect();
    assert!(matches!(&claims[0], Claim::Announce(it) if matches!(it.body, Body::Events(_))));
    assert!(matches!(&claims[1], Claim::Announce(it) if it.body == Body::Number(7)));
    assert_eq!(claims[2], Claim::Nothing);
    let readings = store.read(vec![count, chat]).await;
    let bodies: Vec<_> = readings.into_iter().map(|reading| reading.expect("a reading").body).collect();
    assert_eq!(bodies, [Body::Number(7), Body::Events(std::sync::Arc::default())]);
}

pub(crate) async fn concurrent_appends_lose_no_event_and_repeat_none(backend: &dyn Backend) {
    let (store, chat) = (backend.store(), feed("chat"));
    let writers = (0..4).map(|writer| {
        let (store, chat) = (backend.store(), chat.clone());
        tokio::spawn(async move {
            for number in 0..50 {
                appended(&*store, &chat, &[&format!("{}", writer * 100 + number)]).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let (mut events, mut last) = (Vec::new(), EventId::default());
    eventually("all events to be claimed", async || {
        if let Claim::Announce(_) = claim_one(&*store, &chat, terms(0, 60_000)).await {}
        let missed = store.after(&chat, last).await.expect("an answer");
        events.extend(missed.events.expect("no gap"));
        last = missed.published;
        (events.len() == 200).then_some(())
    })
    .await;
    for writer in writers {
        writer.await.expect("a writer's end");
    }
    let mut numbers: Vec<u32> = texts(&events).iter().map(|text| text.parse().expect("a number")).collect();
    for writer in 0..4 {
        let of_one: Vec<u32> = numbers.iter().copied().filter(|number| number / 100 == writer).collect();
        assert!(of_one.is_sorted(), "each writer's events are in their order: {of_one:?}");
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 200);
}
