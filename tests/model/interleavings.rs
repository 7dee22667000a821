//! Runs the steps of a counter in random orders, then lets the chain come to rest. Each part of the protocol is needed: with a part taken out, the same search
//! finds an error.

use livecounter::domain::Kind;
use proptest::prelude::*;

use crate::chain::{Broken, Chain, INTERVAL, LISTENERS, Luck, ORIGINS, PROXIES, Step};
use crate::orders::{Model, luck};

/// The steps of a counter and of an entity, and how often each of them is taken.
pub(crate) fn shared_step() -> impl Strategy<Value = Step> {
    let time = prop_oneof![4 => 1..=250_u64, 2 => 250..=2500_u64, 1 => Just(6000), 1 => Just(60_001)];
    let (origin, proxy, listener, which) = (0..ORIGINS, 0..PROXIES, 0..LISTENERS, 0..4_usize);
    let mostly = prop::bool::weighted(0.85);
    prop_oneof![
        6 => time.prop_map(Step::Tick),
        2 => (origin.clone(), mostly).prop_map(|(o, a)| Step::Delete(o, a)),
        10 => (origin.clone(), mostly).prop_map(|(o, a)| Step::Claim(o, a)),
        24 => (origin.clone(), which.clone(), luck()).prop_map(|(o, w, l)| Step::Deliver(o, w, l)),
        10 => (origin.clone(), proxy.clone()).prop_map(|(o, p)| Step::Send(o, p)),
        12 => (origin.clone(), proxy.clone(), luck()).prop_map(|(o, p, l)| Step::Sent(o, p, l)),
        4 => (proxy.clone(), which.clone(), mostly).prop_map(|(p, w, a)| Step::Arrive(p, w, a)),
        3 => proxy.clone().prop_map(Step::Expire),
        4 => origin.clone().prop_map(Step::Sweep),
        3 => (which, mostly).prop_map(|(w, a)| Step::Reach(w, a)),
        2 => origin.clone().prop_map(Step::Kill),
        3 => origin.prop_map(Step::Start),
        1 => proxy.clone().prop_map(Step::KillProxy),
        6 => (listener.clone(), proxy).prop_map(|(l, p)| Step::Join(l, p)),
        6 => listener.clone().prop_map(Step::Open),
        1 => listener.clone().prop_map(Step::Leave),
        3 => listener.clone().prop_map(Step::Ask),
        8 => (listener.clone(), mostly).prop_map(|(l, a)| Step::Answer(l, a)),
        8 => listener.prop_map(Step::Recovered),
        2 => Just(Step::Copy),
        2 => Just(Step::Restore),
    ]
}

/// An order that the search takes too long to find. A topic changes as in `first`, but its item does not arrive at one of the proxies. The topic is deleted, and
/// listeners are told. Then the item arrives.
pub(crate) fn late_item_of_a_deleted_topic(first: Step) -> Vec<Step> {
    let claimed_and_published = |origin| {
        [
            Step::Claim(origin, true),
            Step::Deliver(origin, 0, Luck::Well),
            Step::Deliver(origin, 0, Luck::Well),
        ]
    };
    let sent = |origin, proxy, luck| [Step::Send(origin, proxy), Step::Sent(origin, proxy, luck)];
    let recovered = [Step::Ask(0), Step::Answer(0, true), Step::Recovered(0)];
    let steps: [&[Step]; 12] = [
        &[Step::Join(0, 0), Step::Open(0), first],
        &claimed_and_published(0),
        &sent(0, 0, Luck::Late),
        &[Step::Kill(0), Step::Delete(1, true), Step::Tick(INTERVAL)],
        &claimed_and_published(1),
        &sent(1, 0, Luck::Well),
        &sent(1, 1, Luck::Well),
        &recovered,
        &[Step::Deliver(1, 0, Luck::Well), Step::Tick(2000), Step::Deliver(1, 0, Luck::Well)],
        &[Step::Deliver(1, 0, Luck::Well)],
        &recovered,
        &[Step::Arrive(0, 0, true), Step::Tick(500), Step::Expire(0)],
    ];
    steps.concat()
}

/// The chain of a counter, without this part.
#[derive(Debug)]
struct Counters(Broken);

impl Model for Counters {
    type Step = Step;

    fn is_whole(&self) -> bool {
        self.0 == Broken::Nothing
    }

    fn step(&self) -> impl Strategy<Value = Step> {
        let value = prop_oneof![1 => Just(0_i64), 3 => -9..=9_i64];
        let (origin, mostly) = (0..ORIGINS, prop::bool::weighted(0.85));
        prop_oneof![
            119 => shared_step(),
            8 => (1..4_i64, origin.clone(), mostly).prop_map(|(n, o, a)| Step::Add(n, o, a)),
            1 => (value, origin, mostly).prop_map(|(v, o, a)| Step::Set(v, o, a)),
            3 => Just(Step::Read),
            3 => (0..4_usize).prop_map(Step::Fill),
        ]
    }

    fn run(&self, steps: &[Step]) -> Vec<String> {
        let mut chain = Chain::new(Kind::Counter, self.0);
        steps.iter().for_each(|step| chain.take(*step));
        chain.come_to_rest();
        chain.wrongs
    }
}

#[test]
fn in_any_order_of_steps_nothing_goes_wrong() {
    Counters(Broken::Nothing).holds();
}

#[test]
fn a_claim_must_be_one_atomic_step() {
    Counters(Broken::Claim).fails("two first claims");
}

#[test]
fn a_claim_must_leave_its_mark_until_it_is_acknowledged() {
    Counters(Broken::Lease).fails("the outbox is empty, and something is not announced");
}

#[test]
fn an_acknowledgement_must_be_of_the_last_claim() {
    Counters(Broken::Acknowledgement).fails("the outbox is empty, and something is not announced");
}

#[test]
fn a_claim_must_shut_the_gate() {
    Counters(Broken::Gate).fails("two first claims");
}

#[test]
fn the_cache_must_be_purged_twice() {
    Counters(Broken::SecondPurge).fails("the cache has");
}

#[test]
fn proxies_must_heed_the_link_of_an_item() {
    Counters(Broken::PrevId).fails("was shown after");
}

#[test]
fn proxies_must_ask_into_the_silence() {
    Counters(Broken::Silence).fails("is shown");
}

#[test]
fn a_store_that_has_forgotten_must_begin_a_new_epoch() {
    Counters(Broken::Epoch).fails("is shown");
}

#[test]
fn a_store_must_know_a_deleted_topic_for_a_while() {
    let steps = late_item_of_a_deleted_topic(Step::Add(3, 0, true));
    assert_eq!(Counters(Broken::Nothing).run(&steps), Vec::<String>::new());
    let wrongs = Counters(Broken::Tombstone).run(&steps).join("; ");
    assert!(wrongs.contains("was shown after"), "{wrongs}");
}
