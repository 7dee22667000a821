//! Types for ids, amounts, topics and event ids. Their values are parsed once, where a request arrives, and always valid after that.
//!
//! Knows `std`, `serde`, `smol_str`, `thiserror`, `url`, and the libraries that hash and encode. Only this module decides the names of a topic: its channel, its
//! surrogate key and its store keys.

mod amount;
mod countapi;
mod counter;
mod event;
mod history;
mod idempotency;
mod page;
mod public_topic;
mod topic;
mod topic_set;

pub use amount::{Amount, LIMIT, ParseAmountError, parse_value};
pub use countapi::{CountApiName, CountApiWord, ParseCountApiWordError};
pub use counter::{CounterId, ParseCounterIdError};
pub use event::{Epoch, EventId, ParseEventIdError};
pub use history::{BEFORE_ALL, Point, Retention, Unit};
pub use idempotency::{IdempotencyKey, ParseIdempotencyKeyError};
pub use page::{PageAddress, ParsePageAddressError};
pub use public_topic::{ParsePublicTopicError, public_topic};
pub use topic::{BUCKETS, Kind, OUTBOX_PARTS, ParseTopicError, Topic};
pub use topic_set::{SetTooLarge, TopicSet};
