//! The protocol itself, checked, not only its runs.
//!
//! - `spec`: what the store's methods do to a topic, with the time as an argument: the contract as a small program.
//! - `refinement`: random commands to the specification and to each real store, answers compared.
//! - `chain`: the specification with origins, proxies, a cache and listeners around it, in steps as small as anything can
//!   come between; `interleavings`: any of these steps in any order, and what must be true in and after all of them.
//!
//! docs/model.md says what is modelled and what is not.

mod chain;
mod interleavings;
mod refinement;
mod spec;
#[path = "../support/mod.rs"]
mod support;
