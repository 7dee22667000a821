//! Hits of visitors, each of which is counted once for its key.

use std::time::Duration;

use super::change::Change;
use super::hit_key::{HitKey, KeySource};
use super::visits::Visit;
use super::write::{Once, Replay, Write, WriteError, Written};
use crate::domain::{IdempotencyKey, Topic};

/// One hit: adds 1 to a page and 1 to the page's site, both or neither. Neither changes if the key was used on the page within the lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The page.
    pub page: Topic,
    /// The site of the page.
    pub site: Topic,
    /// The key, which no hit of another page of the site may have.
    pub key: IdempotencyKey,
    /// How long the key is remembered: see [`HitKey::lifetime`].
    pub lifetime: Duration,
    /// Where the key comes from.
    pub source: KeySource,
    /// If given, the visitor of the site is counted in the same step, also if the hit is a repetition.
    pub visit: Option<Visit>,
    /// If given, both changes are claimed in the same step: see [`Write::claim`].
    pub claim: Option<Duration>,
}

/// The answer to a [`Hit`].
#[derive(Clone, Debug)]
pub struct HitWritten {
    /// The page, with its present value if the hit is a repetition.
    pub page: Result<Written, WriteError>,
    /// The site. Its value is unknown (0) if the hit is a repetition.
    pub site: Result<Written, WriteError>,
}

impl HitWritten {
    /// Neither the page nor the site is known to be counted.
    pub(super) fn failed(error: WriteError) -> Self {
        HitWritten { page: Err(error.clone()), site: Err(error) }
    }
}

impl Hit {
    /// A hit that counts once for the key.
    pub fn new(page: Topic, site: Topic, key: HitKey, visit: Option<Visit>) -> Self {
        let HitKey { key, lifetime, source } = key;
        Hit { page, site, key, lifetime, source, visit, claim: None }
    }

    /// Adds 1 to the page or to the site, without the key.
    pub(super) fn addition(&self, topic: &Topic) -> Write {
        Write { claim: self.claim, ..Write::new(topic.clone(), Change::Add(1.into())) }
    }

    /// The changes of the page and of the site, each with the key, for a store in which the two are no single step.
    pub(super) fn as_writes(&self) -> [Write; 2] {
        let once = Once { key: self.key.clone(), lifetime: self.lifetime, replay: Replay::Present };
        let page = Write { once: Some(once.clone()), ..self.addition(&self.page) };
        let site = Write { once: Some(once), visit: self.visit, ..self.addition(&self.site) };
        [page, site]
    }
}
