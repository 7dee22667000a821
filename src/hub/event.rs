//! What the hub hands to listeners.

use bytes::Bytes;

use crate::domain::EventId;

/// An event as listeners get it: encoded once, shared by all of them.
#[derive(Clone, Debug)]
pub(super) struct EncodedEvent {
    pub(super) id: EventId,
    pub(super) bytes: Bytes,
}
