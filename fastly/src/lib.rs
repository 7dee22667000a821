//! The decisions of the edge program, without Fastly's calls: where a request goes, whether Fanout has signed it, and for which
//! variant it asks. `main.rs` carries the decisions out with Fastly's calls.
//!
//! The library does no I/O and does not use the `fastly` crate, so that all of it can be tested on any machine.

mod accept;
mod badge;
mod hits;
mod past;
mod path;
mod plan;
mod problem;
mod query;
mod resource;
mod signature;

pub use accept::{Variant, takes_gzip};
pub use path::{normalize_path, sort_names};
pub use plan::{Plan, RequestFacts, is_grip, is_surrogate};
pub use problem::Problem;
pub use query::query_sent;
pub use signature::{FASTLY_KEY, KeyError, SignatureError, Verifier, issuer_of};
