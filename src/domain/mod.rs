//! Types for ids, amounts, topics and event ids. Their values are parsed once, where a request arrives, and always valid after that.
//!
//! Knows `std`, `serde`, `smol_str` and `thiserror` only. Only this module decides the names of a topic: its channel, its
//! surrogate key and its store keys.

mod amount;
mod counter;
mod counter_set;
mod event;
mod history;
mod idempotency;
mod topic;

pub use amount::{Amount, LIMIT, ParseAmountError, parse_value};
pub use counter::{CounterId, ParseCounterIdError};
pub use counter_set::{CounterSet, ParseCounterSetError};
pub use event::{Epoch, EventId, ParseEventIdError};
pub use history::{BEFORE_ALL, Point, Retention, Unit};
pub use idempotency::{IdempotencyKey, ParseIdempotencyKeyError};
pub use topic::{BUCKETS, OUTBOX_PARTS, ParseTopicError, Topic};
