//! The commands that a store gets.

use livecounter::domain::{IdempotencyKey, LIMIT, Topic};
use livecounter::store::{self, Sum, Write};
use proptest::prelude::*;

use super::{LONG, TOPICS, is_entity};
use crate::payload::payload;
use crate::spec::{Change, millis};

#[derive(Clone, Debug)]
pub(super) enum Command {
    Write(Vec<TopicWrite>),
    /// The topics, whether the claim shuts the gate, whether its lease lasts.
    Claim(Vec<usize>, bool, bool),
    /// One of the claims so far, counted from the last.
    Acknowledge(Vec<(usize, usize)>),
    Overdue,
    /// The process of the store ends and starts again.
    Restart,
}

pub(super) fn commands() -> impl Strategy<Value = Vec<Command>> {
    let amount = prop_oneof![8 => -3..=3_i64, 1 => Just(LIMIT), 1 => Just(-LIMIT)];
    let amounts =
        prop_oneof![3 => amount.clone().prop_map(|one| vec![one]), 1 => prop::collection::vec(amount, 2..4)];
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.6));
    let value = prop_oneof![4 => -3..=3_i64, 1 => Just(LIMIT), 1 => Just(-LIMIT), 1 => Just(LIMIT + 1)];
    let change = prop_oneof![
        4 => amounts.prop_map(Change::Add),
        1 => value.prop_map(Change::Set),
        2 => Just(Change::Delete),
    ];
    let number = prop_oneof![8 => -3..=3_i64, 1 => Just(LIMIT), 1 => Just(-LIMIT)];
    // A life is over at the next sweep, or outlasts the test.
    let life = prop_oneof![Just(0), Just(millis(LONG))];
    let merge = payload(number, life).prop_map(|payload| Change::Merge(payload.merge()));
    let change_of_entity = prop_oneof![5 => merge, 2 => Just(Change::Delete)];
    let item = (0..TOPICS, change, change_of_entity, flags, prop::option::weighted(0.3, 0..3_usize));
    let item = item.prop_map(|(topic, change, change_of_entity, (claim, may_create), key)| {
        let (change, claim) = match is_entity(topic) {
            true => (change_of_entity, false),
            false => (change, claim),
        };
        // The contract allows no idempotency key for a combined addition.
        let key = key.filter(|_| !matches!(&change, Change::Add(amounts) if amounts.len() > 1));
        TopicWrite { topic, change, claim, may_create, key }
    });
    let command = prop_oneof![
        8 => prop::collection::vec(item, 1..5).prop_map(Command::Write),
        6 => (prop::collection::vec(0..TOPICS, 1..4), prop::bool::weighted(0.1), any::<bool>())
            .prop_map(|(topics, shut, lasting)| Command::Claim(topics, shut, lasting)),
        4 => prop::collection::vec((0..TOPICS, 0..3_usize), 1..4).prop_map(Command::Acknowledge),
        2 => Just(Command::Overdue),
        1 => Just(Command::Restart),
    ];
    prop::collection::vec(command, 1..40)
}

/// An item of a batch of changes.
#[derive(Clone, Debug)]
pub(super) struct TopicWrite {
    pub(super) topic: usize,
    pub(super) change: Change,
    pub(super) claim: bool,
    pub(super) may_create: bool,
    pub(super) key: Option<usize>,
}

impl TopicWrite {
    /// The change as the store's type.
    pub(super) fn write(&self, topic: Topic) -> Write {
        Write {
            claim: self.claim.then_some(LONG),
            once: self.key.map(|key| format!("k{key}").parse::<IdempotencyKey>().expect("a key").into()),
            may_create: self.may_create,
            ..Write::new(topic, self.real_change())
        }
    }

    fn real_change(&self) -> store::Change {
        let amounts = match &self.change {
            Change::Add(amounts) => amounts,
            Change::Set(value) => return store::Change::Set(*value),
            Change::Merge(merge) => return store::Change::Merge(std::sync::Arc::new(merge.clone())),
            Change::Delete => return store::Change::Delete,
        };
        let totals = amounts.iter().scan(0_i64, |total, amount| {
            *total = total.saturating_add(*amount);
            Some(*total)
        });
        let totals: Vec<i64> = totals.collect();
        store::Change::Add(Sum {
            total: totals[totals.len() - 1],
            lowest: totals.iter().copied().min().unwrap_or_default(),
            highest: totals.iter().copied().max().unwrap_or_default(),
            changes: totals.len() as u32,
        })
    }
}
