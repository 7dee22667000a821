//! Checks the protocol itself in a model, in random orders of its steps.
//!
//! - `spec`: the contract of the store as a small program: what each method does to a topic, with the time as an argument.
//! - `refinement`: sends random commands to the specification and to each real store, and compares the answers.
//! - `chain`: the specification with origins, proxies, a cache and listeners, in small steps; `interleavings`: these steps in random orders,
//!   and what must be true during and after all of them.
//!
//! docs/model.md says what is modelled and what is not.

mod chain;
mod feed_chain;
mod feed_interleavings;
mod interleavings;
mod orders;
mod pushpin;
mod refinement;
mod spec;
#[path = "../support/mod.rs"]
mod support;
