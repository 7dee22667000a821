//! What the program at Fastly's edge decides, without Fastly: which way a request takes, whether Fanout has signed it,
//! which of the few variants it asks for. `main.rs` carries it out with Fastly's calls.
//!
//! Nothing here does I/O or knows the `fastly` crate, so all of it is tested on any machine.

mod accept;
mod path;
mod plan;
mod problem;
mod signature;

pub use accept::Variant;
pub use path::{normalize_path, sort_counters};
pub use plan::{Plan, RequestFacts, is_grip, is_surrogate, query_counts};
pub use problem::Problem;
pub use signature::{FASTLY_KEY, KeyError, SignatureError, Verifier, issuer_of};
