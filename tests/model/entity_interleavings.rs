//! Runs the steps of an entity in random orders, as those of a counter: merges instead of additions, lives that end, and no cache. Without a part of the protocol,
//! the same search finds an error.

use livecounter::domain::Kind;
use proptest::prelude::*;

use crate::chain::{Broken, Chain, ORIGINS, Step};
use crate::interleavings::{late_item_of_a_deleted_topic, shared_step};
use crate::orders::Model;
use crate::payload::{Payload, payload};

/// The chain of an entity, without this part.
#[derive(Debug)]
struct Entities(Broken);

impl Model for Entities {
    type Step = Step;

    fn is_whole(&self) -> bool {
        self.0 == Broken::Nothing
    }

    fn step(&self) -> impl Strategy<Value = Step> {
        let life = prop_oneof![2 => 0..=2500_u64, 1 => 2500..=20_000_u64];
        let merge = (payload(-9..=9_i64, life), 0..ORIGINS, prop::bool::weighted(0.85));
        prop_oneof![
            119 => shared_step(),
            10 => merge.prop_map(|(payload, o, a)| Step::Merge(payload, o, a)),
        ]
    }

    fn run(&self, steps: &[Step]) -> Vec<String> {
        let mut chain = Chain::new(Kind::Entity, self.0);
        steps.iter().for_each(|step| chain.take(*step));
        chain.come_to_rest();
        chain.wrongs
    }
}

#[test]
fn in_any_order_of_steps_listeners_see_what_became_of_an_entity() {
    Entities(Broken::Nothing).holds();
}

#[test]
fn a_claim_of_an_entity_must_be_one_atomic_step() {
    Entities(Broken::Claim).fails("two first claims");
}

#[test]
fn a_claim_of_an_entity_must_leave_its_mark_until_it_is_acknowledged() {
    Entities(Broken::Lease).fails("the outbox is empty, and something is not announced");
}

#[test]
fn an_acknowledgement_of_an_entity_must_be_of_the_last_claim() {
    Entities(Broken::Acknowledgement).fails("the outbox is empty, and something is not announced");
}

#[test]
fn a_claim_of_an_entity_must_shut_the_gate() {
    Entities(Broken::Gate).fails("two first claims");
}

#[test]
fn proxies_must_heed_the_link_of_an_item_of_an_entity() {
    Entities(Broken::PrevId).fails("was shown after");
}

#[test]
fn proxies_must_ask_into_the_silence_of_an_entity() {
    Entities(Broken::Silence).fails("is shown");
}

#[test]
fn an_entity_of_a_store_that_has_forgotten_must_begin_a_new_epoch() {
    Entities(Broken::Epoch).fails("is shown");
}

#[test]
fn no_id_of_an_entity_may_be_claimed_with_two_states() {
    Entities(Broken::Epoch).fails("was claimed with");
    Entities(Broken::Repetition).fails("was claimed with");
}

#[test]
fn a_store_must_know_a_deleted_entity_for_a_while() {
    let steps = late_item_of_a_deleted_topic(Step::Merge(Payload::addition(3), 0, true));
    assert_eq!(Entities(Broken::Nothing).run(&steps), Vec::<String>::new());
    let wrongs = Entities(Broken::Tombstone).run(&steps).join("; ");
    assert!(wrongs.contains("was shown after"), "{wrongs}");
}

#[test]
fn an_entity_that_is_written_after_its_deletion_must_begin_without_fields() {
    Entities(Broken::Fields).fails("was written");
}

#[test]
fn an_entity_that_is_written_after_its_deletion_must_begin_without_a_life() {
    Entities(Broken::OldLife).fails("before the end of its life");
}

#[test]
fn the_end_of_a_life_must_be_looked_at_again_as_the_entity_is_deleted() {
    Entities(Broken::Look).fails("before the end of its life");
}

#[test]
fn an_entity_whose_life_is_over_must_be_deleted_like_any_other() {
    Entities(Broken::Expiry).fails("was shown after");
}
