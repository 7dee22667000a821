//! Fastly's purge API, which removes the answers with a surrogate key from all caches of Fastly within about 150 ms.
//!
//! This module knows HTTP and Fastly, and does not know the meaning of the keys.

mod batches;
mod error;
mod pause;
mod purger;
mod settings;

pub use error::PurgeError;
pub use purger::Purger;
pub use settings::{PurgerError, PurgerSettings};
