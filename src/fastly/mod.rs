//! Fastly's purge API: takes what bears a surrogate key out of the cache, everywhere, within about 150 ms.
//!
//! A leaf: knows HTTP and Fastly, and nothing of what the keys stand for.

mod batches;
mod error;
mod pause;
mod purger;
mod settings;

pub use error::PurgeError;
pub use purger::Purger;
pub use settings::{PurgerError, PurgerSettings};
