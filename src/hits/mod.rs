//! Which pages may be counted, and which programs are no visitors.

mod bots;
mod patterns;

pub use bots::{Bots, BotsError};
pub use patterns::{ParsePatternsError, Patterns};

use std::time::Duration;

use crate::domain::PageAddress;

/// The rules for hits, as they are set.
#[derive(Clone, Debug)]
pub struct HitRules {
    /// The pages that may be counted; all of them if there is no pattern.
    pub allow: Patterns,
    /// The pages that may not be counted, even if `allow` fits.
    pub deny: Patterns,
    /// The programs whose requests do not count.
    pub bots: Bots,
    /// How long a visitor who was counted on a page is not counted there again; zero if each hit counts.
    pub window: Duration,
}

/// The reason why a page is not counted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    /// A pattern of `hits.deny` fits.
    #[error("this service does not count this page: hits.deny covers it")]
    Denied,
    /// No pattern of `hits.allow` fits.
    #[error("this service does not count this page: hits.allow does not cover it")]
    NotAllowed,
}

impl HitRules {
    /// Checks that the page may be counted.
    pub fn check(&self, address: &PageAddress) -> Result<(), NotCounted> {
        if self.deny.fit(address.as_str()) {
            return Err(NotCounted::Denied);
        }
        if !self.allow.is_empty() && !self.allow.fit(address.as_str()) {
            return Err(NotCounted::NotAllowed);
        }
        Ok(())
    }
}
