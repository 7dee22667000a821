//! The queue of one endpoint: what replaces what, what a full queue drops, and the chain of a channel.

use std::sync::Arc;

use proptest::prelude::*;
use tokio::sync::oneshot;

use crate::grip::publisher::error::Refusal;
use crate::grip::publisher::queue::{Batch, ItemQueue, MOST_KEPT};
use crate::grip::publisher::queued_item::QueuedItem;
use crate::grip::{Item, Retain};

fn entry(channel: &str, id: u64, prev: u64) -> (QueuedItem, oneshot::Receiver<Result<(), Refusal>>) {
    let (sender, receiver) = oneshot::channel();
    let (id, prev_id) = (id.to_string(), Some(prev.to_string()));
    let item = Item {
        channel: channel.into(),
        id,
        prev_id,
        content: String::new(),
        first: false,
        retain: Retain::Latest,
    };
    (QueuedItem::new(Arc::new(item), sender), receiver)
}

fn push(queue: &mut ItemQueue, channel: &str, id: u64, prev: u64) -> oneshot::Receiver<Result<(), Refusal>> {
    let (entry, receiver) = entry(channel, id, prev);
    assert!(queue.push(entry).is_empty());
    receiver
}

/// `channel id<prev` of everything that would be sent next.
fn sent(batch: &Batch) -> Vec<String> {
    let text = |(_, e): &(u64, QueuedItem)| {
        format!("{} {}<{}", e.item.channel, e.item.id, e.prev_id.as_deref().unwrap_or_default())
    };
    batch.entries.iter().map(text).collect()
}

fn take(queue: &mut ItemQueue) -> Batch {
    queue.take(100, usize::MAX).expect("a batch")
}

#[test]
fn an_undelivered_item_is_replaced_in_its_place_and_the_chain_stays_whole() {
    let mut queue = ItemQueue::new(true, 10);
    let mut first = push(&mut queue, "a", 5, 4);
    let _b = push(&mut queue, "b", 1, 0);
    let _second = push(&mut queue, "a", 6, 5);
    let _third = push(&mut queue, "a", 7, 6);
    let batch = take(&mut queue);
    assert_eq!(sent(&batch), ["a 7<4", "b 1<0"]);
    for (_, entry) in batch.entries {
        entry.settle(Ok(()));
    }
    assert_eq!(first.try_recv(), Ok(Ok(())), "a newer one is as good");
}

#[test]
fn after_a_clear_failure_the_newer_one_takes_over_the_link() {
    let mut queue = ItemQueue::new(true, 10);
    let _w = push(&mut queue, "a", 5, 4);
    let batch = take(&mut queue);
    let _w2 = push(&mut queue, "a", 6, 5);
    queue.put_back(batch.entries, false);
    assert_eq!(sent(&take(&mut queue)), ["a 6<4"]);
}

#[test]
fn after_a_failure_that_may_have_been_none_the_newer_one_keeps_its_link() {
    let mut queue = ItemQueue::new(true, 10);
    let _w = push(&mut queue, "a", 5, 4);
    let batch = take(&mut queue);
    queue.put_back(batch.entries, true);
    let _w2 = push(&mut queue, "a", 6, 5);
    let _w3 = push(&mut queue, "a", 7, 6);
    assert_eq!(sent(&take(&mut queue)), ["a 7<5"]);
}

#[test]
fn items_of_two_chains_are_not_linked() {
    let mut queue = ItemQueue::new(true, 10);
    let _w = (push(&mut queue, "a", 5, 4), push(&mut queue, "a", 9, 8));
    assert_eq!(sent(&take(&mut queue)), ["a 9<8"]);
}

#[test]
fn the_same_item_again_or_a_late_one_replaces_nothing() {
    let mut queue = ItemQueue::new(true, 10);
    let _w = (push(&mut queue, "a", 6, 5), push(&mut queue, "a", 7, 6), push(&mut queue, "a", 7, 6));
    assert_eq!(sent(&take(&mut queue)), ["a 7<5"]);
    let _w = (push(&mut queue, "a", 7, 6), push(&mut queue, "a", 6, 5));
    assert_eq!(sent(&take(&mut queue)), ["a 7<5"]);
}

#[test]
fn without_merging_every_item_is_kept_in_order() {
    let mut queue = ItemQueue::new(false, 10);
    let _w = (push(&mut queue, "a", 5, 4), push(&mut queue, "b", 1, 0), push(&mut queue, "a", 6, 5));
    let batch = take(&mut queue);
    let _w2 = push(&mut queue, "a", 7, 6);
    queue.put_back(batch.entries, true);
    assert_eq!(sent(&take(&mut queue)), ["a 5<4", "b 1<0", "a 6<5", "a 7<6"]);
}

#[test]
fn a_full_queue_drops_its_oldest_item() {
    for merge in [false, true] {
        let mut queue = ItemQueue::new(merge, 2);
        let _w = (push(&mut queue, "a", 1, 0), push(&mut queue, "b", 1, 0));
        let (newest, _w3) = entry("c", 1, 0);
        assert_eq!(queue.push(newest).first().map(|entry| entry.item.channel.clone()), Some("a".into()));
        assert_eq!(sent(&take(&mut queue)), ["b 1<0", "c 1<0"]);
        let _w = push(&mut queue, "a", 2, 1);
        assert_eq!(queue.pending(), 3, "one waits, two are out");
    }
}

fn push_first(queue: &mut ItemQueue, channel: &str) -> Option<String> {
    let item = Item {
        channel: channel.into(),
        id: "1".into(),
        prev_id: Some("0".into()),
        content: String::new(),
        first: true,
        retain: Retain::Latest,
    };
    let refused = queue.push(QueuedItem::new(Arc::new(item), oneshot::channel().0));
    refused.first().map(|entry| entry.item.channel.clone())
}

#[test]
fn first_items_wait_for_others_but_have_a_share() {
    let mut queue = ItemQueue::new(true, 100);
    (0..6).for_each(|n| _ = push_first(&mut queue, &format!("first-{n}")));
    (0..6).for_each(|n| drop(push(&mut queue, &format!("known-{n}"), 2, 1)));
    let mut taken = Vec::new();
    while let Some(batch) = queue.take(4, usize::MAX) {
        taken.push(batch.entries.iter().map(|(_, entry)| entry.item.channel.clone()).collect::<Vec<_>>());
    }
    assert_eq!(taken[0], ["known-0", "known-1", "known-2", "first-0"]);
    assert_eq!(taken[1], ["known-3", "known-4", "known-5", "first-1"]);
    assert_eq!(taken[2], ["first-2", "first-3", "first-4", "first-5"]);
    assert_eq!(taken.len(), 3);
}

#[test]
fn a_full_queue_drops_the_first_items_of_channels_before_others() {
    let mut queue = ItemQueue::new(true, 2);
    drop(push(&mut queue, "known", 2, 1));
    assert_eq!(push_first(&mut queue, "a"), None);
    assert_eq!(push_first(&mut queue, "b"), Some("a".into()));
    let (known, _waiter) = entry("other", 2, 1);
    assert_eq!(queue.push(known).first().map(|entry| entry.item.channel.clone()), Some("b".into()));
    assert_eq!(sent(&take(&mut queue)), ["known 2<1", "other 2<1"]);
}

#[test]
fn without_merging_first_items_keep_their_place_before_what_follows_them() {
    let mut queue = ItemQueue::new(false, 10);
    push_first(&mut queue, "a");
    drop(push(&mut queue, "a", 2, 1));
    assert_eq!(sent(&take(&mut queue)), ["a 1<0", "a 2<1"]);
}

#[test]
fn a_waiter_that_has_given_up_is_forgotten() {
    let mut queue = ItemQueue::new(true, 10);
    let live = push(&mut queue, "a", 1, 0);
    for id in 2..100 {
        drop(push(&mut queue, "a", id, id - 1));
    }
    let batch = take(&mut queue);
    assert_eq!(batch.entries[0].1.waiters.len(), 2, "the live one and the last");
    drop(live);
}

#[test]
fn a_batch_ends_at_either_limit() {
    let mut queue = ItemQueue::new(true, 10);
    let _w = (push(&mut queue, "a", 1, 0), push(&mut queue, "b", 1, 0), push(&mut queue, "c", 1, 0));
    assert_eq!(sent(&queue.take(2, usize::MAX).expect("a batch")), ["a 1<0", "b 1<0"]);
    let mut queue = ItemQueue::new(true, 10);
    let _w = (push(&mut queue, "a", 1, 0), push(&mut queue, "b", 1, 0));
    assert_eq!(sent(&queue.take(9, 100).expect("a batch")), ["a 1<0"]);
    assert_eq!(sent(&queue.take(9, 100).expect("a batch")), ["b 1<0"]);
    assert!(queue.take(9, 100).is_none());
}

fn push_kept(queue: &mut ItemQueue, id: u64, len: usize) -> Vec<String> {
    let (id, prev_id) = (id.to_string(), Some((id - 1).to_string()));
    let content = "x".repeat(len);
    let item = Item { channel: "feed".into(), id, prev_id, content, first: false, retain: Retain::All };
    let removed = queue.push(QueuedItem::new(Arc::new(item), oneshot::channel().0));
    removed.iter().map(|entry| entry.item.id.clone()).collect()
}

#[test]
fn kept_items_stay_in_order_around_a_failed_request() {
    let mut queue = ItemQueue::new(true, 10);
    push_kept(&mut queue, 1, 1);
    push_kept(&mut queue, 2, 1);
    let _w = push(&mut queue, "a", 5, 4);
    let batch = take(&mut queue);
    push_kept(&mut queue, 3, 1);
    push_kept(&mut queue, 3, 1);
    let _w2 = push(&mut queue, "a", 6, 5);
    queue.put_back(batch.entries, false);
    assert_eq!(sent(&take(&mut queue)), ["feed 1<0", "feed 2<1", "a 6<4", "feed 3<2"]);
}

#[test]
fn a_kept_item_that_is_announced_again_during_a_request_is_sent_once_more() {
    let mut queue = ItemQueue::new(true, 10);
    push_kept(&mut queue, 1, 1);
    let batch = take(&mut queue);
    push_kept(&mut queue, 1, 1);
    queue.put_back(batch.entries, true);
    assert_eq!(sent(&take(&mut queue)), ["feed 1<0"]);
}

#[test]
fn kept_items_are_bounded_by_their_bytes() {
    let mut queue = ItemQueue::new(true, 1000);
    let _w = push(&mut queue, "a", 5, 4);
    assert!(push_kept(&mut queue, 1, MOST_KEPT / 2).is_empty());
    assert_eq!(push_kept(&mut queue, 2, MOST_KEPT / 2), ["1"]);
    assert_eq!(push_kept(&mut queue, 3, 2 * MOST_KEPT), ["2"], "the newest stays");
    assert_eq!(
        sent(&take(&mut queue)),
        ["a 5<4", "feed 3<2"],
        "3 after 2 tells the proxy what it has missed"
    );
    assert!(push_kept(&mut queue, 4, MOST_KEPT / 2).is_empty(), "what was taken leaves its room");
}

proptest! {
    /// Whatever fails and when, what arrives is a chain that ends with the newest item: unless there was doubt.
    #[test]
    fn a_channels_chain_never_breaks_without_doubt(steps in prop::collection::vec(0..3, 1..40)) {
        let mut queue = ItemQueue::new(true, 100);
        let (mut made, mut seen) = (0, "0".to_owned());
        let mut out: Option<Batch> = None;
        let deliver = |batch: Batch, seen: &mut String| {
            for (_, entry) in batch.entries {
                assert_eq!(entry.prev_id.as_ref(), Some(&*seen));
                *seen = entry.item.id.clone();
            }
        };
        for step in steps {
            match (step, out.take()) {
                (0, kept) => {
                    made += 1;
                    drop(push(&mut queue, "a", made, made - 1));
                    out = kept;
                }
                (_, None) => out = queue.take(100, usize::MAX),
                (1, Some(batch)) => queue.put_back(batch.entries, false),
                (_, Some(batch)) => {
                    queue.settled();
                    deliver(batch, &mut seen);
                }
            }
        }
        for batch in out.into_iter().chain(queue.take(100, usize::MAX)) {
            deliver(batch, &mut seen);
        }
        prop_assert_eq!(seen, made.to_string());
    }
}
