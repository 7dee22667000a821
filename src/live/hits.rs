//! Hits: each of them adds 1 to a page and to its site, and the address of the page is kept.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join;

use super::combiner::Combiner;
use super::counted::Counted;
use super::hit_combiner::HitCombiner;
use crate::announcer::Announcer;
use crate::domain::{PageAddress, Topic};
use crate::log::Throttle;
use crate::store::{Hit, HitKey, Store, StoreError, Visit, WriteError};

/// The number of pages whose addresses a worker knows to be in the store. When it knows as many, it forgets all of them.
const KNOWN_PAGES: usize = 65_536;

/// Additions to sites that failed although the page was counted. One line a minute is logged.
static SITES_FAILED: Throttle = Throttle::new(Duration::from_secs(60));

/// The answer to a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedHit {
    /// How many hits the page has, this hit included if it is counted.
    pub value: i64,
    /// How many topics the hit has created: the page, and its site.
    pub created: usize,
    /// The visitor has been counted before, so this hit was not counted.
    pub replayed: bool,
}

/// Counts hits.
pub(super) struct HitCounter {
    combiner: Arc<Combiner>,
    keyed: Arc<HitCombiner>,
    store: Arc<dyn Store>,
    /// Hashes of the pages whose addresses are in the store. Hashes take less memory than names. If two pages had the same hash,
    /// which is unlikely, the address of one of them might be missing.
    known: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

impl HitCounter {
    pub(super) fn new(combiner: Arc<Combiner>, store: Arc<dyn Store>, announcer: Announcer) -> Self {
        let keyed = Arc::new(HitCombiner::new(Arc::clone(&store), announcer));
        HitCounter { combiner, keyed, store, known: Mutex::default(), hasher: RandomState::new() }
    }

    /// Whether this worker has counted a hit of the page before. Then the page and its site exist, unless they were removed since.
    pub(super) fn knows(&self, page: &PageAddress) -> bool {
        let hash = self.hasher.hash_one(page.as_str());
        self.with_known(|known| known.contains(&hash))
    }

    /// Counts a hit of the page and of its site, and the visitor of the site. The page decides the answer: if only the addition to the site fails, which can
    /// happen in a Cluster, the failure is logged.
    pub(super) async fn count(
        &self,
        address: &PageAddress,
        key: Option<HitKey>,
        visit: Option<Visit>,
    ) -> Result<CountedHit, WriteError> {
        let (page, site) = (Topic::page(address), Topic::site(address));
        let hash = self.hasher.hash_one(address.as_str());
        let is_known = self.with_known(|known| known.contains(&hash));
        let counting = self.count_both(page.clone(), site, key, visit);
        let (counted, kept) = if is_known {
            (counting.await, Ok(()))
        } else {
            // Both are on their way together. The address must not delay the answer by another round trip.
            join(counting, self.store.keep_address(&page, address.as_str())).await
        };
        let [page_counted, site_counted] = counted;
        let page_counted = page_counted?;
        let kept = if is_known && page_counted.created {
            // The page was removed after this worker had kept its address.
            self.store.keep_address(&page, address.as_str()).await
        } else {
            kept
        };
        self.remember(hash, kept);
        if let (Err(error), Some(failed)) =
            (&site_counted, site_counted.as_ref().err().and(SITES_FAILED.record()))
        {
            tracing::warn!(
                failed,
                "a page was counted, but not its site: {error} ({failed} since the last message)"
            );
        }
        let created = [page_counted.created, site_counted.is_ok_and(|counted| counted.created)];
        let Counted { value, replayed, .. } = page_counted;
        Ok(CountedHit { value, replayed, created: created.into_iter().map(usize::from).sum() })
    }

    /// Adds 1 to the page and to the site, and counts the visitor of the site.
    async fn count_both(
        &self,
        page: Topic,
        site: Topic,
        key: Option<HitKey>,
        visit: Option<Visit>,
    ) -> [Result<Counted, WriteError>; 2] {
        match key {
            Some(key) => self.keyed.hit(Hit::new(page, site, key, visit)).await,
            None => self.combiner.add_to_both([page, site], visit).await,
        }
    }

    /// Remembers whether the address of the page is in the store. If it is not, the next hit of the page keeps it.
    fn remember(&self, hash: u64, kept: Result<(), StoreError>) {
        self.with_known(|known| match kept {
            Ok(()) => {
                if known.len() >= KNOWN_PAGES {
                    known.clear();
                }
                known.insert(hash);
            }
            Err(error) => {
                tracing::debug!("the address of a page could not be kept; its next hit tries again: {error}");
                known.remove(&hash);
            }
        });
    }

    fn with_known<T>(&self, work: impl FnOnce(&mut HashSet<u64>) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
