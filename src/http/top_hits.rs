//! The pages and the sites with the most hits, and their addresses. They are kept for a while, since a store reads all values for them.

use std::sync::Arc;

use super::kept::KeptAnswers;
use crate::domain::{Kind, PageAddress, Topic};
use crate::hits::HitRules;
use crate::live::Live;
use crate::store::StoreError;

/// How many more topics are read than a list may have, in place of those that are not listed. If more than these are left out,
/// the list is shorter than it may be.
const SPARE: usize = 1000;

/// What a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Top {
    /// Pages.
    Pages,
    /// Sites.
    Sites,
}

/// A page or a site of a list.
#[derive(Clone, Debug)]
pub(super) struct TopEntry {
    /// The address of the page, or the host of the site with its port.
    pub(super) address: String,
    /// Its topic.
    pub(super) topic: Topic,
    /// How many hits it has.
    pub(super) value: i64,
}

/// A list, the entry with the most hits first; of two with as many, the one comes first whose topic's name does (by bytes).
pub(super) type TopList = Arc<[TopEntry]>;

/// The lists that one process keeps. One list at a time is read.
#[derive(Default)]
pub struct TopHits(KeptAnswers<Top, TopList, 2>);

impl Top {
    /// How many entries the list may have; 0 if there is no such list.
    pub(super) fn most(self, rules: &HitRules) -> usize {
        match self {
            Top::Pages => rules.listing.pages,
            Top::Sites => rules.listing.sites,
        }
    }
}

impl TopHits {
    /// The list, as long as it may be. It has no page and no site that the rules leave out, and no page whose address is not known
    /// yet.
    pub(super) async fn top(&self, live: &Live, rules: &HitRules, of: Top) -> Result<TopList, StoreError> {
        let most = of.most(rules);
        if most == 0 {
            return Ok(TopList::default());
        }
        self.0.answer(of, read(live, rules, of, most)).await
    }
}

async fn read(live: &Live, rules: &HitRules, of: Top, most: usize) -> Result<TopList, StoreError> {
    let kind = match of {
        Top::Pages => Kind::Page,
        Top::Sites => Kind::Site,
    };
    let ranked = live.top(kind.prefix(), most + SPARE).await?;
    let addresses = match of {
        Top::Pages => {
            let topics: Vec<Topic> = ranked.iter().map(|(topic, _)| topic.clone()).collect();
            live.addresses(&topics).await?
        }
        Top::Sites => ranked.iter().map(|(topic, _)| topic.site_host().map(str::to_owned)).collect(),
    };
    let listed = |((topic, value), address): ((Topic, i64), Option<String>)| {
        let address = address.filter(|address| is_listed(rules, of, address))?;
        Some(TopEntry { address, topic, value })
    };
    Ok(ranked.into_iter().zip(addresses).filter_map(listed).take(most).collect())
}

/// Whether the list may have the page or site of this address.
fn is_listed(rules: &HitRules, of: Top, address: &str) -> bool {
    let Ok(address) = address.parse::<PageAddress>() else { return false };
    match of {
        Top::Pages => rules.lists_page(&address),
        Top::Sites => rules.lists_site(address.site()),
    }
}
