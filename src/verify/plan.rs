//! What to check, and how.

use std::time::Duration;

use super::base::Base;
use super::probe::ClientKey;
use crate::domain::CounterId;

/// What to check, and how.
#[derive(Debug)]
pub struct VerifyPlan {
    /// The address of the service.
    pub base: Base,
    /// The counter that is read, listened to and added to.
    pub counter: CounterId,
    /// Sent with each addition.
    pub key: Option<ClientKey>,
    /// Leaves out what writes.
    pub read_only: bool,
    /// How long one step may take.
    pub timeout: Duration,
}
