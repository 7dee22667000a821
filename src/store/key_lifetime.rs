//! How long the keys of clients are remembered.

use std::time::Duration;

/// How long an idempotency key of a client is remembered.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);
