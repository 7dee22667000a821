//! The visitors of the sites that were visited last, in the memory of the writer: to load a sketch takes as long as some
//! additions.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::file::StoreFile;
use super::site_visitors::SiteVisitors;
use crate::domain::{Retention, Topic};
use crate::store::Visit;

/// How many sites are kept after a batch, at most 12 KiB each. If there are more, all are forgotten.
const KEPT: usize = 64;

/// See the top of the module. After a batch that has failed, the sites must be forgotten, because they have changes that the file does
/// not have.
#[derive(Default)]
pub(super) struct VisitedSites(HashMap<Topic, SiteVisitors>);

impl VisitedSites {
    /// Counts a visitor of a site. Returns whether the site must be saved.
    pub(super) fn visit(&mut self, site: &Topic, visit: Visit, file: &StoreFile) -> rusqlite::Result<bool> {
        let visitors = match self.0.entry(site.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(file.visitors(site)?),
        };
        Ok(visitors.visit(visit))
    }

    /// Saves the sites that have changed.
    pub(super) fn save(&mut self, file: &StoreFile, retention: Retention) -> rusqlite::Result<()> {
        self.0.iter_mut().try_for_each(|(site, visitors)| file.save_visitors(site, visitors, retention))
    }

    /// Forgets all sites if there are too many. All of them must be saved.
    pub(super) fn bound(&mut self) {
        if self.0.len() > KEPT {
            self.0 = HashMap::new();
        }
    }

    /// Forgets a site, which is deleted.
    pub(super) fn forget(&mut self, site: &Topic) {
        self.0.remove(site);
    }

    /// Forgets all sites.
    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }
}
