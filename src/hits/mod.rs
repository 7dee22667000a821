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
    /// Which pages and sites are listed.
    pub listing: Listing,
    /// The programs whose requests do not count.
    pub bots: Bots,
    /// How long a visitor who was counted on a page is not counted there again; zero if each hit counts.
    pub window: Duration,
    /// Whether the window holds for visitors without cookies, too, who are recognised by address and `User-Agent`.
    pub window_without_cookies: bool,
    /// Whether the different visitors of each site are counted.
    pub uniques: bool,
}

/// Which pages and sites the lists of those with the most hits have.
#[derive(Clone, Debug)]
pub struct Listing {
    /// How many pages are listed; 0 if there is no list of pages.
    pub pages: usize,
    /// How many sites are listed; 0 if there is no list of sites.
    pub sites: usize,
    /// The pages and sites that are not listed, although they are counted.
    pub ignore: Patterns,
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

    /// Whether a list may have this page: it may be counted, and no pattern of `listing.ignore` fits.
    pub fn lists_page(&self, address: &PageAddress) -> bool {
        self.check(address).is_ok() && !self.listing.ignore.fit(address.as_str())
    }

    /// Whether a list may have the site with this host: no pattern of `deny` and of `listing.ignore` fits the host, and where
    /// `allow` has patterns, one of them fits the host, alone or with a slash behind it.
    pub fn lists_site(&self, host: &str) -> bool {
        let fits_allow = |text: &str| self.allow.is_empty() || self.allow.fit(text);
        let is_allowed = fits_allow(host) || fits_allow(&[host, "/"].concat());
        is_allowed && !self.deny.fit(host) && !self.listing.ignore.fit(host)
    }

    /// Checks that `hits.deny` does not cover the whole site. `hits.allow` may cover some of its pages only.
    pub fn check_site(&self, host: &str) -> Result<(), NotCounted> {
        if self.deny.fit(host) { Err(NotCounted::Denied) } else { Ok(()) }
    }
}
