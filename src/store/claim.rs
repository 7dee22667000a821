//! Claims: the right to announce a change.

use std::time::Duration;

use super::body::Body;
use crate::domain::EventId;

/// The conditions of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimTerms {
    /// How long the gate of the topic stays shut behind a successful claim. Zero leaves it open.
    pub interval: Duration,
    /// How long the claimant has to acknowledge before a sweep may announce the topic again; at most
    /// [`LONGEST_LEASE`](super::LONGEST_LEASE).
    pub lease: Duration,
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The caller must announce this. A claim whose lease has run out without an acknowledgement is given again with the same ids
    /// and body, so that a proxy that has seen these ids drops the repetition.
    Announce(Announcement),
    /// A change is unpublished, but the gate is shut for this long.
    Wait(Duration),
    /// Every change is published, or another claim has a lease.
    Nothing,
}

/// A state of a topic that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// What the topic holds at `id`.
    pub body: Body,
    /// The revision to publish.
    pub id: EventId,
    /// The revision published before `id`; [`EventId::default`] before the first.
    pub prev: EventId,
}

impl Announcement {
    /// The number that is shown: 0 if the topic is gone.
    pub fn value(&self) -> i64 {
        self.body.number()
    }
}
