//! The contract of every store, one test for each sentence; the file of each store runs all of them.

mod adding;
mod addresses;
mod announcing;
mod claiming;
mod creating;
mod deleting;
mod documents;
mod entities;
mod entity_ranges;
mod feeds;
mod history;
mod hits;
mod listing;
mod past_events;
mod pasts;
mod sweeping;
mod visitor_keys;
mod visitors;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use livecounter::domain::{EventId, IdempotencyKey, Topic};
use livecounter::store::{
    Announcement, Change, Claim, ClaimTerms, LONGEST_LEASE, Once, Reading, Replay, Store, Sum, Write,
    WriteError, Written,
};

pub(crate) use {
    adding::*, addresses::*, announcing::*, claiming::*, creating::*, deleting::*, documents::*, entities::*,
    entity_ranges::*, feeds::*, history::*, hits::*, listing::*, past_events::*, pasts::*, sweeping::*,
    visitor_keys::*, visitors::*,
};

/// A store under test, with the servers that it needs.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    /// Opens the store as another process does.
    fn store(&self) -> Arc<dyn Store>;

    /// Deletes all data of the store.
    async fn forget(&self);
}

/// Calls the macro `$with` with the names of all tests of the contract.
macro_rules! every_sentence {
    ($with:ident) => {
        $with! {
            a_topic_never_changed_reads_zero,
            concurrent_adds_hand_out_every_value_once,
            items_of_a_batch_are_taken_in_order,
            a_batch_of_ten_thousand_topics_is_answered_in_order,
            an_empty_batch_is_answered_with_nothing,
            a_step_beyond_the_limit_changes_nothing,
            values_up_to_the_limit_are_exact,
            a_combination_is_refused_when_one_value_on_its_way_is_out_of_range,
            a_refused_combination_leaves_no_trace_of_a_new_topic,
            a_combination_grows_the_revision_by_its_changes,
            a_replayed_key_gets_the_first_answer,
            a_key_used_with_another_amount_is_refused,
            a_key_is_remembered_per_topic,
            a_repetition_may_be_answered_with_the_present_value,
            a_key_is_forgotten_after_its_lifetime,
            a_refused_step_does_not_use_up_its_key,
            concurrent_uses_of_a_key_count_once,
            keyed_and_plain_items_of_a_batch_keep_their_order,
            a_store_that_lost_its_memory_starts_a_new_epoch,
            a_hit_counts_for_page_and_site_once_for_its_key,
            a_hit_s_key_is_forgotten_after_its_lifetime,
            a_refused_hit_uses_up_no_key,
            a_site_at_the_limit_keeps_no_page_from_counting,
            a_hit_may_claim_page_and_site,
            hits_count_their_visitors,
            many_hits_are_answered_in_their_order,
            concurrent_hits_of_one_visitor_count_once,
            a_new_visitor_counts_once_and_is_known_after_that,
            a_refused_hit_forgets_the_new_key,
            new_visitors_are_counted_with_their_visits,
            many_new_visitors_are_counted_once_each,
            the_first_change_of_a_topic_creates_it_and_no_other,
            every_way_to_add_tells_that_a_topic_is_new,
            a_topic_that_must_not_be_new_is_not_created,
            an_add_that_must_not_create_may_add_to_an_existing_topic,
            each_item_of_a_batch_says_whether_it_may_create,
            a_refused_first_step_creates_nothing,
            topics_are_counted_once,
            the_address_of_a_page_is_kept_beside_it,
            a_gated_mark_is_no_matter_for_sweeps_until_its_gate_has_opened,
            a_claim_is_given_to_one_of_many,
            claims_form_a_chain,
            nothing_is_claimed_of_a_topic_never_changed,
            a_claim_within_its_lease_is_given_to_no_other_origin,
            a_shut_gate_makes_claimants_wait,
            a_gate_opens_when_its_time_is_over,
            a_zero_interval_leaves_the_gate_open,
            a_reading_tells_what_is_published,
            claims_of_a_batch_are_answered_in_order,
            an_add_may_claim_its_own_change,
            a_claim_inside_an_add_heeds_and_moves_no_gate,
            a_combination_may_claim_its_last_change,
            a_replayed_key_claims_nothing,
            a_refused_step_claims_nothing,
            an_unacknowledged_claim_is_announced_again_with_the_same_ids,
            an_unacknowledged_claim_of_an_add_is_announced_again_with_the_same_ids,
            a_newer_change_takes_the_place_of_an_unacknowledged_claim,
            an_acknowledged_claim_is_never_announced_again,
            acknowledging_an_older_claim_changes_nothing,
            acknowledging_a_claim_of_another_epoch_changes_nothing,
            a_change_during_a_claim_keeps_its_mark,
            a_change_that_no_origin_announces_becomes_overdue,
            a_leased_mark_is_overdue_when_the_lease_runs_out,
            the_sweep_is_open_to_one_caller_per_pause,
            a_sweep_gives_at_most_its_limit,
            the_outbox_counts_marked_topics_once,
            a_set_value_is_announced_like_an_addition,
            a_set_value_creates_its_topic_if_it_may,
            a_value_beyond_the_limit_is_not_set,
            a_deletion_is_announced_as_a_change,
            a_deletion_may_claim_itself,
            deleting_what_is_not_there_changes_nothing,
            a_topic_created_again_goes_on_with_the_next_revision,
            an_add_that_must_not_create_leaves_a_deleted_topic_deleted,
            an_older_acknowledgement_leaves_a_topic_created_again_alone,
            setting_and_deleting_with_a_key_happen_once,
            a_key_is_not_for_another_kind_of_change,
            deleted_topics_are_not_counted,
            a_deletion_among_additions_is_one_step,
            topics_are_listed_in_the_order_of_their_names,
            pages_of_a_list_have_each_topic_once,
            a_deleted_topic_is_not_listed,
            the_greatest_values_come_first,
            a_ranking_has_each_topic_once_and_no_deleted_one,
            a_claim_writes_what_it_announces_into_the_history,
            a_deleted_topic_has_no_history,
            claims_go_on_from_a_restored_past,
            a_past_of_hours_or_days_alone_brings_no_others,
            a_restored_past_goes_with_its_topic,
            a_past_is_restored_to_topics_that_exist_and_are_new,
            a_new_topic_stood_at_zero_before_its_first_claim,
            a_topic_created_again_before_a_claim_begins_at_zero,
            a_claim_of_a_feed_has_all_events_since_the_claim_before,
            events_of_one_batch_keep_their_order_and_have_ids,
            many_events_of_one_change_keep_their_order,
            a_shut_gate_makes_claimants_of_a_feed_wait,
            a_gate_that_opens_gives_all_events_that_have_waited,
            an_unacknowledged_claim_of_a_feed_has_the_same_events_again,
            a_listener_is_told_exactly_what_it_has_missed,
            a_page_of_a_feed_has_the_last_events_before_a_revision,
            a_feed_keeps_so_many_events_and_the_rest_is_a_gap,
            a_feed_keeps_so_many_bytes_and_always_the_newest_event,
            events_that_wait_for_their_claim_stay_longer,
            a_repeated_append_is_answered_as_the_first_one,
            an_append_repeated_after_its_announcement_announces_nothing,
            a_feed_is_created_only_by_an_append_that_may,
            a_deleted_feed_has_no_events_and_begins_again_behind_them,
            events_after_a_deletion_that_was_not_announced_are_told,
            a_repeated_deletion_of_a_feed_spares_the_events_after_it,
            numbers_and_events_of_a_batch_are_answered_in_order,
            concurrent_appends_lose_no_event_and_repeat_none,
            an_event_of_the_past_keeps_its_time_and_its_place,
            events_too_old_for_readers_are_told_apart,
            the_end_of_a_life_is_told_and_may_be_set_as_a_time,
            all_callers_get_the_same_salt,
            a_visitor_is_counted_once_in_a_day,
            visitors_are_counted_within_two_percent,
            a_day_that_is_over_leaves_its_number_of_visitors,
            a_repeated_hit_counts_its_visitor_and_a_refused_one_does_not,
            a_deleted_site_has_had_no_visitors,
            changes_of_fields_are_made_together,
            an_addition_to_a_text_changes_nothing,
            an_entity_has_bounds_that_a_merge_cannot_cross,
            concurrent_additions_to_fields_lose_nothing,
            merges_of_one_batch_are_answered_one_by_one,
            an_entity_is_announced_with_all_its_fields,
            a_deleted_entity_is_gone_and_begins_empty_again,
            a_repeated_merge_gets_the_first_answer,
            a_merge_repeated_after_its_announcement_announces_nothing,
            an_entity_that_must_not_be_new_is_not_created,
            entities_are_listed_and_counted_among_numbers,
            entities_are_read_in_a_range_of_keys,
            entities_are_read_with_the_fields_and_the_memory_asked_for,
            a_change_of_another_form_is_refused,
            an_entity_is_deleted_when_its_life_is_over,
            merges_agree_with_the_domain,
            a_store_in_order_answers_a_ping,
        }
    };
}
pub(crate) use every_sentence;

/// The deadline of a wait, long enough for a busy machine.
const DEADLINE: Duration = Duration::from_secs(10);

/// A lease that does not run out within a test.
const LONG: Duration = LONGEST_LEASE;

fn topic(id: &str) -> Topic {
    Topic::counter(&id.parse().expect("a counter id"))
}

fn terms(interval_ms: u64, lease_ms: u64) -> ClaimTerms {
    ClaimTerms { interval: Duration::from_millis(interval_ms), lease: Duration::from_millis(lease_ms) }
}

/// ClaimTerms with a gate, and with a lease that does not run out.
fn gate(interval_ms: u64) -> ClaimTerms {
    ClaimTerms { lease: LONG, ..terms(interval_ms, 0) }
}

/// ClaimTerms without a gate, and with a lease that does not run out.
const ANY_TIME: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONG };

fn amount(topic: &Topic, amount: i64) -> Write {
    Write::add(topic.clone(), amount, None)
}

fn combination(topic: &Topic, sum: Sum) -> Write {
    Write::new(topic.clone(), Change::Add(sum))
}

fn setting(topic: &Topic, value: i64) -> Write {
    Write::new(topic.clone(), Change::Set(value))
}

fn deletion(topic: &Topic) -> Write {
    Write::new(topic.clone(), Change::Delete)
}

fn keyed(topic: &Topic, amount: i64, key: &str) -> Write {
    Write::add(topic.clone(), amount, Some(key.parse().expect("a key")))
}

async fn add_one(store: &dyn Store, add: Write) -> Result<Written, WriteError> {
    let mut answers = store.write(vec![add]).await;
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// Adds and expects the new value back.
async fn bump(store: &dyn Store, topic: &Topic, by: i64) -> i64 {
    add_one(store, amount(topic, by)).await.expect("counted").value
}

async fn read_one(store: &dyn Store, topic: &Topic) -> Reading {
    let mut answers = store.read(vec![topic.clone()]).await;
    assert_eq!(answers.len(), 1);
    answers.remove(0).expect("a reading")
}

async fn claim_one(store: &dyn Store, topic: &Topic, terms: ClaimTerms) -> Claim {
    let mut answers = store.claim(vec![topic.clone()], terms).await;
    assert_eq!(answers.len(), 1);
    answers.remove(0).expect("an answer to a claim")
}

async fn announcement(store: &dyn Store, topic: &Topic, terms: ClaimTerms) -> Announcement {
    match claim_one(store, topic, terms).await {
        Claim::Announce(announcement) => announcement,
        other => panic!("expected an announcement, not {other:?}"),
    }
}

async fn acknowledge(store: &dyn Store, topic: &Topic, id: EventId) {
    store.acknowledge(vec![(topic.clone(), id)]).await.expect("acknowledged");
}

/// Repeats a call until it returns a value.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        let mut again = tokio::time::interval(Duration::from_millis(10));
        loop {
            again.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
