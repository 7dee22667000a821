//! The sites and the pages with the most hits, with the code that shows their numbers elsewhere.

use crate::http::context::WorkerContext;
use crate::http::html::shown::ShownNumber;
use crate::http::top_hits::{Top, TopEntry};

/// How many sites and how many pages are shown.
const LISTED: usize = 10;

/// A list with its title.
pub(super) struct HitsList {
    pub(super) title: &'static str,
    pub(super) entries: Vec<ListedHits>,
}

/// A page or a site.
pub(super) struct ListedHits {
    /// The address of the page, or the host of the site with its port.
    pub(super) address: String,
    pub(super) number: ShownNumber,
    /// The resource that answers the number as text.
    pub(super) path: &'static str,
    /// The query that names the page or the site for that resource.
    pub(super) query: String,
    /// The query that names it for badges and charts.
    pub(super) picture: String,
}

/// The lists that are not empty; none if hits are not counted here, or if the store does not answer.
pub(super) async fn lists(context: &WorkerContext) -> Vec<HitsList> {
    let Some(rules) = &context.shared.hits else { return Vec::new() };
    let mut lists = Vec::new();
    for (title, of) in [("Sites with the most hits", Top::Sites), ("Pages with the most hits", Top::Pages)] {
        let top = context.shared.top_hits.top(&context.live, rules, of).await.unwrap_or_default();
        let entries: Vec<_> = top.iter().take(LISTED).map(|entry| listed(entry, of)).collect();
        if !entries.is_empty() {
            lists.push(HitsList { title, entries });
        }
    }
    lists
}

fn listed(TopEntry { address, value, .. }: &TopEntry, of: Top) -> ListedHits {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.append_pair("url", address).finish();
    let (path, picture) = match of {
        Top::Pages => ("/nocount", query.clone()),
        Top::Sites => ("/nocount/site", format!("{query}&of=site")),
    };
    ListedHits { address: address.clone(), number: ShownNumber(Some(*value)), path, query, picture }
}
