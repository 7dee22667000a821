//! The home page's HTML, filled in for the counters of this service.

use super::assets::hashed_name;
use crate::domain::CounterId;

/// The counter of the page's views, if the service has it.
const VIEWS: &str = "1";
/// The counters that visitors can try out, if any id is a counter.
const TILES: [&str; 3] = ["2", "3", "4"];

/// The page for the counters of this service.
pub struct HomePage {
    /// The parts of the page between which the service's own address belongs.
    parts: Vec<String>,
}

impl HomePage {
    /// A page that shows the first of the known counters and names the others. Without a list of known counters, any id is one,
    /// and the page shows a few.
    pub fn new(known: Option<&[CounterId]>) -> Self {
        let known: Option<Vec<&str>> = known.map(|ids| ids.iter().map(CounterId::as_str).collect());
        let counters: Vec<&str> = known.clone().unwrap_or_else(|| [&[VIEWS], &TILES[..]].concat());
        // A view of the page counts only in the counter of views, because the other counters have a purpose of their own.
        let views = counters.contains(&VIEWS);
        let hero = counters.first().filter(|_| !views).copied().unwrap_or(VIEWS);
        let rest: Vec<&str> = counters.iter().copied().filter(|id| *id != hero).collect();
        // A browser opens six connections to a host for all its tabs. Four streams leave two for the requests of buttons.
        let (tiles, others) = rest.split_at(rest.len().min(TILES.len()));
        let tiles = if tiles.is_empty() { &[hero] } else { tiles };
        let sample = tiles[0];
        let others = match others {
            [] => String::new(),
            others => format!("<p class=\"others\">Also: {}.</p>\n      ", links(others)),
        };
        let (visit, rule, page, orders) = match &known {
            None => (VISITS.to_owned(), ANY.to_owned(), "my-page", "orders"),
            Some(_) if views => (VISITS.to_owned(), KNOWN.to_owned(), sample, sample),
            Some(_) => {
                (format!("The number above is the counter {hero}, live."), KNOWN.to_owned(), sample, sample)
            }
        };
        let mut text = include_str!("index.html").to_owned();
        for (name, value) in [
            ("hero", hero),
            ("counts", if views { " data-visits" } else { "" }),
            ("label", if views { "Views" } else { hero }),
            ("visit", &visit),
            ("tiles", &tiles.join(" ")),
            ("others", &others),
            ("links", &links(tiles)),
            ("rule", &rule),
            ("sample", sample),
            ("page", page),
            ("orders", orders),
            ("favicon.svg", &hashed_name("favicon.svg")),
            ("home.css", &hashed_name("home.css")),
            ("home.js", &hashed_name("home.js")),
        ] {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        HomePage { parts: text.split("{{origin}}").map(str::to_owned).collect() }
    }

    /// The page with the service's address in its examples. The client chooses the host, so a text that is no host is replaced.
    pub(super) fn at(&self, scheme: &str, host: &str) -> String {
        let scheme = if scheme == "https" { "https" } else { "http" };
        let harmless =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        let usable = (1..=255).contains(&host.len()) && host.bytes().all(harmless);
        let host = if usable { host } else { "localhost" };
        self.parts.join(&format!("{scheme}://{host}"))
    }
}

const VISITS: &str = "The number above counts the views of this page, live.";
const ANY: &str = "A counter is its address: <code>/counters/</code>, then any name of up to 64 letters, digits and \
                   <code>. _ ~ -</code>. It starts at 0 by itself.";
const KNOWN: &str = "A counter is its address: <code>/counters/</code>, then its name. This service has those above, and no \
                     others.";

/// Links to these counters. Ids consist of letters, digits and `. _ ~ -`, so they need no escaping.
fn links(ids: &[&str]) -> String {
    let links: Vec<String> = ids.iter().map(|id| format!("<a href=\"/counters/{id}/\">{id}</a>")).collect();
    links.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(known: Option<&[&str]>) -> String {
        let ids =
            known.map(|ids| ids.iter().map(|id| id.parse().expect("an id")).collect::<Vec<CounterId>>());
        HomePage::new(ids.as_deref()).at("http", "h:1")
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
            let of = |name: &str| {
                let (_, rest) = page.split_once(&format!("{name}=\""))?;
                Some(rest.split_once('"')?.0.to_owned())
            };
            (of("data-counter"), of("data-counters"), page.contains(" data-visits"))
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
        let home = HomePage::new(None);
        let page = home.at("https", "count.example:8443");
        assert_eq!(page.matches("<b>https://count.example:8443</b>").count(), 6);
        assert!(home.at("http", "[::1]:8000").contains("<b>http://[::1]:8000</b>/counters/2/"));
        for (scheme, host) in
            [("http", "<script>"), ("http", "a b"), ("javascript", ""), ("http", "x'; rm -rf")]
        {
            let page = home.at(scheme, host);
            assert!(page.contains("<b>http://localhost</b>/counters/2/"), "{host}");
        }
    }
}
