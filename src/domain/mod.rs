//! The words of the product as types that cannot be wrong: parsed once at the edge, trusted everywhere below.
//!
//! Knows `std`, `serde`, `smol_str` and `thiserror` only. What a topic is called, in a channel, a surrogate key or a store,
//! is decided here and nowhere else.

mod amount;
mod counter;
mod event;
mod idempotency;
mod topic;

pub use amount::{Amount, LIMIT, ParseAmountError};
pub use counter::{CounterId, ParseCounterIdError};
pub use event::{Epoch, EventId, ParseEventIdError};
pub use idempotency::{IdempotencyKey, ParseIdempotencyKeyError};
pub use topic::{BUCKETS, OUTBOX_PARTS, ParseTopicError, Topic};
