//! The event that the hub gives to listeners.

use bytes::Bytes;

use crate::domain::EventId;

/// An event as listeners get it. The event is encoded once, and all listeners share the bytes.
#[derive(Clone, Debug)]
pub(super) struct EncodedEvent {
    pub(super) id: EventId,
    pub(super) bytes: Bytes,
}
