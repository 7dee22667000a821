//! Types for ids, amounts, topics and event ids. Their values are parsed once, where a request arrives, and always valid after that.
//!
//! Knows `std`, `serde`, `serde_json`, `smol_str`, `thiserror`, `url`, and the libraries that hash and encode. Only this module decides the names of a topic: its channel, its
//! surrogate key and its store keys.

mod amount;
mod countapi;
mod counter;
mod document;
mod entity_key;
mod event;
mod feed;
mod field_bounds;
mod field_changes;
mod history;
mod idempotency;
mod json;
mod page;
mod past;
mod public_topic;
mod route;
mod topic;
mod topic_set;

pub use amount::{Amount, LIMIT, ParseAmountError, parse_value};
pub use countapi::{CountApiName, CountApiWord, ParseCountApiWordError};
pub use counter::{CounterId, ParseCounterIdError};
pub use document::{Document, MergeError};
pub use entity_key::{EntityKey, ParseEntityKeyError};
pub use event::{Epoch, EventId, ParseEventIdError};
pub use feed::{FeedEvent, FeedRetention, GapReason, MAX_EVENT_BYTES};
pub use field_changes::{FieldChange, FieldChanges, ParseFieldChangesError};
pub use history::{BEFORE_ALL, Point, Retention, Unit};
pub use idempotency::{IdempotencyKey, ParseIdempotencyKeyError};
pub use json::{JsonText, ParseJsonError};
pub use page::{PageAddress, ParsePageAddressError};
pub use past::Past;
pub use public_topic::{ParsePublicTopicError, public_topic};
pub use route::{ParseRouteError, Route};
pub use topic::{BUCKETS, Kind, OUTBOX_PARTS, ParseTopicError, Topic};
pub use topic_set::{SetTooLarge, TopicSet};
