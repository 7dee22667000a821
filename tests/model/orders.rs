//! Searches random orders of steps for one that ends in an error.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

use crate::chain::Luck;

/// The number of orders that are tried, unless `MODEL_ORDERS` is set.
const ORDERS: u32 = 1000;
/// The most orders that are tried with a part taken out: the search ends at the first error.
const ORDERS_OF_BROKEN: u32 = 20_000;
const STEPS: usize = 150;

/// How a request ends.
pub(crate) fn luck() -> impl Strategy<Value = Luck> {
    let well = prop_oneof![6 => Just(Luck::Well), 1 => Just(Luck::Fails), 1 => Just(Luck::Unanswered)];
    prop_oneof![8 => well, 1 => Just(Luck::Lost), 1 => Just(Luck::Late), 1 => Just(Luck::Twice)]
}

/// A model of a chain, whole or with a part of the protocol taken out.
pub(crate) trait Model: Debug {
    type Step: Clone + Debug;

    /// Whether no part is taken out.
    fn is_whole(&self) -> bool;

    /// The steps, and how often each of them is taken.
    fn step(&self) -> impl Strategy<Value = Self::Step>;

    /// Takes the steps from the beginning, then lets the chain come to rest. Returns what is wrong during and after them.
    fn run(&self, steps: &[Self::Step]) -> Vec<String>;

    /// The shortest order of steps found that ends in an error with this text, and the error. The errors of a chain without a part must be found in every run; the whole
    /// chain may be tried with other orders in each run.
    fn search(&self, text: &str) -> Option<(Vec<Self::Step>, String)> {
        let is_whole = self.is_whole();
        let config = Config {
            cases: if is_whole { orders() } else { ORDERS_OF_BROKEN },
            max_shrink_iters: 1000,
            failure_persistence: None,
            rng_seed: if is_whole { RngSeed::Random } else { RngSeed::Fixed(1) },
            ..Config::default()
        };
        let outcome = TestRunner::new(config).run(&prop::collection::vec(self.step(), 1..STEPS), |steps| {
            let wrongs: Vec<_> = self.run(&steps).into_iter().filter(|wrong| wrong.contains(text)).collect();
            prop_assert!(wrongs.is_empty(), "{}", wrongs.join("; "));
            Ok(())
        });
        match outcome {
            Ok(()) => None,
            Err(TestError::Fail(reason, steps)) => Some((steps, reason.message().to_owned())),
            Err(TestError::Abort(reason)) => panic!("{reason}"),
        }
    }

    /// Panics if the search finds an error.
    fn holds(&self) {
        if let Some((steps, wrong)) = self.search("") {
            panic!("{wrong}\nafter {steps:#?}");
        }
    }

    /// Panics unless the search finds this error, as a part is taken out.
    fn fails(&self, expected: &str) {
        assert!(self.search(expected).is_some(), "no order of steps fails with {self:?}");
    }
}

fn orders() -> u32 {
    match std::env::var("MODEL_ORDERS") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("MODEL_ORDERS is no number: {text}")),
        Err(_) => ORDERS,
    }
}
