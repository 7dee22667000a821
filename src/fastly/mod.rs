//! Fastly's purge API: takes what bears a surrogate key out of the cache, everywhere, within about 150 ms.
//!
//! A leaf: knows HTTP and Fastly, and nothing of what the keys stand for.

mod pause;
mod purger;

pub use purger::{PurgeError, Purger, PurgerError, PurgerSettings};
