//! Checks the protocol itself in a model, in random orders of its steps.
//!
//! - `spec`: the contract of the store as a small program: what each method does to a topic, with the time as an argument.
//! - `refinement`: sends random commands to the specification and to each real store, and compares the answers.
//! - `chain`: the specification with origins, proxies, a cache and listeners, in small steps; `interleavings`, `entity_interleavings`: these steps of a counter and
//!   of an entity in random orders, and what must be true during and after all of them. `feed_chain`, `feed_interleavings`: the same of a feed.
//! - `orders`: the search for an order of steps that ends in an error.
//!
//! docs/model.md says what is modelled and what is not.

mod chain;
mod entity_interleavings;
mod feed_chain;
mod feed_interleavings;
mod interleavings;
mod orders;
mod payload;
mod pushpin;
mod refinement;
mod spec;
#[path = "../support/mod.rs"]
mod support;
