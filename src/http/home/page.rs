//! The home page's HTML, filled in for the counters of this service.

use std::sync::Arc;

use askama::Template;
use bytes::Bytes;

use super::additions::Additions;
use super::compressed::CompressedPage;
use super::entry::TopList;
use super::figures::{Figures, KeptFigures};
use super::tool::Tool;
use crate::access::RouteKey;
use crate::domain::{Amount, CounterId};
use crate::http::html::shown::ShownNumber;

/// The counter of the page's views, if the service has it.
const VIEWS: &str = "1";
/// The counters that visitors can try out, if any id is a counter.
const TILES: [&str; 3] = ["2", "3", "4"];

/// The page for the counters of this service.
pub struct HomePage {
    /// The counter that is shown first, and those that visitors can try out.
    counters: Vec<CounterId>,
    /// Those of the counters that visitors can try out: all but the first, or the only one.
    tiles: std::ops::Range<usize>,
    /// Whether a view of the page counts in the first counter.
    counts_views: bool,
    /// Whether any id is a counter.
    any: bool,
    /// The known counters that are only named.
    others: Vec<CounterId>,
    /// The counters in the examples.
    sample: CounterId,
    views_sample: String,
    orders_sample: String,
    /// What a visitor may add.
    additions: Additions,
    /// The key with which a script of the page records each view; `None` if no view is recorded.
    analytics: Option<RouteKey>,
    figures: Arc<KeptFigures>,
    compressed: CompressedPage,
}

/// What the template is filled in with.
#[derive(Template)]
#[template(path = "home.html")]
struct Filled<'a> {
    page: &'a HomePage,
    origin: &'a str,
    hero: ShownCounter<'a>,
    tiles: Vec<ShownCounter<'a>>,
    tool: Option<Tool>,
    lists: Vec<TopList<'a>>,
}

struct ShownCounter<'a> {
    id: &'a CounterId,
    number: ShownNumber,
    /// The amounts that a visitor may add with a button.
    buttons: Vec<i64>,
}

impl HomePage {
    /// A page that shows the first of the known counters and names the others. Without a list of known counters, any id is one,
    /// and the page shows a few. It has no button for what `additions` does not allow. With `analytics`, a script of the page records each
    /// view with that key.
    pub fn new(known: Option<&[CounterId]>, analytics: Option<RouteKey>, additions: Additions) -> Self {
        let usual = || [VIEWS].iter().chain(&TILES).filter_map(|id| id.parse().ok()).collect();
        let mut counters = known.map_or_else(usual, <[CounterId]>::to_vec);
        // A view of the page counts only in the counter of views, because the other counters have a purpose of their own.
        let views = counters.iter().position(|id| id.as_str() == VIEWS);
        counters[..=views.unwrap_or_default()].rotate_right(1);
        let shown = counters.len().min(1 + TILES.len());
        let others = counters.split_off(shown);
        let tiles = shown.min(2) - 1..shown;
        let sample = counters[tiles.start].clone();
        let named = |name: &str| known.map_or_else(|| name.to_owned(), |_| sample.to_string());
        HomePage {
            views_sample: named("my-page"),
            orders_sample: named("orders"),
            counts_views: views.is_some() && additions.allow(&counters[0], Amount::ONE),
            counters,
            tiles,
            any: known.is_none(),
            others,
            sample,
            additions,
            analytics,
            figures: Arc::new(KeptFigures::new()),
            compressed: CompressedPage::default(),
        }
    }

    /// The counters of the page, in the order in which [`Figures::counters`] has their values.
    pub(super) fn counters(&self) -> impl Iterator<Item = &CounterId> {
        self.counters.iter()
    }

    /// The numbers of the page.
    pub(super) fn figures(&self) -> Arc<KeptFigures> {
        Arc::clone(&self.figures)
    }

    /// The compressed page; `None` if it would not be smaller.
    pub(super) fn compressed(&self, page: &str) -> Option<Bytes> {
        self.compressed.of(page)
    }

    /// The page with these numbers, with the tool if pages are counted here, and with the service's address in its examples.
    pub(super) fn fill(
        &self,
        origin: &str,
        figures: &Figures,
        tool: Option<Tool>,
    ) -> Result<String, askama::Error> {
        let shown = |index: usize| ShownCounter {
            id: &self.counters[index],
            number: ShownNumber(figures.counters.get(index).copied().flatten()),
            buttons: self.additions.buttons(&self.counters[index]),
        };
        let lists = [
            TopList { id: "top-sites", title: "Sites", entries: &figures.sites },
            TopList { id: "top-pages", title: "Pages", entries: &figures.pages },
        ];
        let filled = Filled {
            page: self,
            origin,
            hero: shown(0),
            tiles: self.tiles.clone().map(shown).collect(),
            tool,
            lists: lists.into_iter().filter(|list| !list.entries.is_empty()).collect(),
        };
        filled.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::WriteRules;
    use crate::http::html::origin;

    fn page(known: Option<&[&str]>) -> String {
        let ids =
            known.map(|ids| ids.iter().map(|id| id.parse().expect("an id")).collect::<Vec<CounterId>>());
        HomePage::new(ids.as_deref(), None, Additions::default())
            .fill("http://h:1", &Figures::default(), None)
            .expect("a page")
    }

    #[test]
    fn nothing_of_the_template_is_left() {
        for known in [None, Some(&["a"][..]), Some(&["1", "2", "3", "4", "downloads"])] {
            let page = page(known);
            assert!(!page.contains("{{") && !page.contains("}}"), "{page}");
        }
    }

    #[test]
    fn only_known_counters_are_shown_and_only_the_first_is_for_visits() {
        let shown = |known: &[&str]| {
            let page = page(Some(known));
            for (_, rest) in
                page.match_indices("/counters/").map(|(at, found)| page.split_at(at + found.len()))
            {
                let id: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
                assert!(id.is_empty() || known.contains(&id.as_str()), "{id}: {known:?}");
            }
            let ids =
                page.split("data-counter=\"").skip(1).map(|rest| rest.split('"').next().expect("an id"));
            let mut ids: Vec<_> = ids.map(str::to_owned).collect();
            let hero = ids.remove(0);
            (Some(hero), Some(ids.join(" ")), page.contains(" data-visits"))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(shown(&["a"]), (some("a"), some("a"), false));
        assert_eq!(shown(&["a", "b"]), (some("a"), some("b"), false));
        assert_eq!(shown(&["a", "1"]), (some("1"), some("a"), true));
        assert_eq!(shown(&["1", "2", "3", "4", "5", "6"]), (some("1"), some("2 3 4"), true));
        assert!(page(Some(&["a", "b", "c", "d", "e"])).contains("Also: <a href=\"/counters/e/\">e</a>."));
    }

    #[test]
    fn the_examples_have_the_address_that_was_asked_for_and_no_other_text() {
        let home = HomePage::new(None, None, Additions::default());
        let at = |scheme: &str, host: &str| {
            home.fill(&origin(scheme, host), &Figures::default(), None).expect("a page")
        };
        let page = at("https", "count.example:8443");
        assert_eq!(page.matches("<b>https://count.example:8443</b>").count(), 7);
        assert!(at("http", "[::1]:8000").contains("<b>http://[::1]:8000</b>/counters/2/"));
        for (scheme, host) in
            [("http", "<script>"), ("http", "a b"), ("javascript", ""), ("http", "x'; rm -rf")]
        {
            let page = at(scheme, host);
            assert!(page.contains("<b>http://localhost</b>/counters/2/"), "{host}");
        }
    }

    #[test]
    fn a_visitor_is_offered_what_needs_no_key() {
        let page = |amounts: &str, write: &[&str]| {
            let amounts = amounts.parse().expect("a range");
            let write = WriteRules::parse(write.iter().copied()).expect("rules");
            let home = HomePage::new(None, None, Additions { amounts, write });
            home.fill("http://h", &Figures::default(), None).expect("a page")
        };
        let buttons = |page: &str| {
            let all = page.split("data-by=\"").skip(1);
            all.map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let usual = page("-1000..1000", &[]);
        assert_eq!(buttons(&usual), "-1 1 10 -1 1 10 -1 1 10");
        assert!(
            usual.contains("<p>One, or any whole number from -1000 to 1000.</p>") && usual.contains("?by=-5")
        );
        let one = page("1..1", &[]);
        assert_eq!(buttons(&one), "1 1 1");
        assert!(one.contains("<p>One.</p>") && !one.contains("?by=") && one.contains(" data-visits"));
        let keyed = page("1..20", &["key", "anyone:counters/3/"]);
        assert_eq!(buttons(&keyed), "1 10");
        assert!(keyed.contains("<p>One, or any whole number, with a key.</p>") && keyed.contains("?by=5"));
        assert!(!keyed.contains(" data-visits"), "the visit would be refused");
        assert_eq!(buttons(&page("1..20", &["key"])), "");
    }

    #[test]
    fn numbers_are_in_the_page() {
        let figures = Figures { counters: vec![Some(48_211), None, Some(-7)], ..Figures::default() };
        let page =
            HomePage::new(None, None, Additions::default()).fill("http://h", &figures, None).expect("a page");
        for expected in [
            "data-counter=\"1\" data-value=\"48211\" data-visits>",
            "id=\"views\" data-length=\"6\">48\u{202f}211</p>",
            "data-counter=\"2\" data-value=\"\">",
            "data-length=\"2\">\u{2212}7</p>",
        ] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
    }
}
