//! Which part of a query the cache sees: what a client appends must not get past the cache.

use crate::{badge, hits, past, path};

/// The query with which the resource of this path is looked up; `None` for no query. The paths of counters, of topics and of the module for pages say all. Their
/// past and their badges have parameters, and `/nocount` has the addresses of pages. The past of hits has both.
pub fn query_sent(path: &str, query: &str) -> Option<String> {
    if let Some(known) = hits::parameters(path) {
        let page = hits::first_page(query).map(str::to_owned);
        let parts: Vec<String> = page.into_iter().chain(known_query(query, known)).collect();
        (!parts.is_empty()).then(|| parts.join("&"))
    } else if let Some(known) = known_parameters(path) {
        known_query(query, known)
    } else if hits::reads_hits(path) {
        Some(hits::pages(query))
    } else if path::lists_names(path) || path == "/live-counter.js" {
        None
    } else {
        Some(query.to_owned())
    }
}

/// The parameters of the resource with this path; `None` for a resource that is not one of a counter with parameters.
fn known_parameters(path: &str) -> Option<&'static [&'static str]> {
    if past::is_past(path) {
        Some(&past::PARAMETERS)
    } else if badge::is_badge(path) {
        Some(&badge::PARAMETERS)
    } else {
        None
    }
}

/// The query with the known parameters alone, in one order: other parameters, which clients append to get past caches, must not get past this
/// cache. `None` if nothing is left. Of a parameter that is given several times, the last one counts.
fn known_query(query: &str, known: &[&str]) -> Option<String> {
    let names = |part: &str, name: &str| part.split_once('=').is_some_and(|(own, _)| own == name);
    let given = |name: &&str| query.split('&').rfind(|part| names(part, name));
    let known: Vec<&str> = known.iter().filter_map(given).collect();
    (!known.is_empty()).then(|| known.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parameters_stay_in_one_order() {
        for (query, known) in [
            ("last=7&unit=day", Some("unit=day&last=7")),
            ("_=123&unit=day&units=1&lasting", Some("unit=day")),
            ("last=7&last=8", Some("last=8")),
            (
                "theme=dark&form=bars&tz=Europe/Berlin&format=csv",
                Some("tz=Europe/Berlin&format=csv&form=bars&theme=dark"),
            ),
            ("x=1", None),
            ("", None),
        ] {
            assert_eq!(known_query(query, &past::PARAMETERS).as_deref(), known, "{query}");
        }
        let badge = known_query(
            "tz=Asia/Tokyo&color=red&labelColor=blue&label=a%26b&of=day&unit=day",
            &badge::PARAMETERS,
        );
        assert_eq!(badge.as_deref(), Some("of=day&tz=Asia/Tokyo&label=a%26b&color=red&labelColor=blue"));
    }

    #[test]
    fn a_counter_has_one_entry_whatever_is_appended() {
        for (path, query, sent) in [
            ("/counters/2/", "_=1", None),
            ("/live-counter.js", "v=2", None),
            ("/topics/site-a/", "_=1", None),
            ("/counters/2/history", "_=1&unit=day", Some("unit=day")),
            ("/nocount", "_=1&url=a&url=b", Some("url=a&url=b")),
            ("/nocount/site", "url=a&x=y", Some("url=a")),
            ("/nocount/history", "_=1&of=site&url=a&unit=day&url=b&label=c", Some("url=a&of=site&unit=day")),
            ("/nocount/chart.svg", "theme=dark&last=7&last=8&url=a", Some("url=a&last=8&theme=dark")),
            ("/nocount/tag.json", "unit=day&base=5&of=day&x&url=a%26b", Some("url=a%26b&of=day&base=5")),
            ("/nocount/tag.json", "x", None),
            ("/nocount/tag.svg", "x&url=a", Some("x&url=a")),
            ("/", "a=b", Some("a=b")),
        ] {
            assert_eq!(query_sent(path, query).as_deref(), sent, "{path}?{query}");
        }
    }

    #[test]
    fn only_the_past_and_badges_have_parameters() {
        assert_eq!(known_parameters("/counters/2/chart.svg"), Some(&past::PARAMETERS[..]));
        assert_eq!(known_parameters("/counters/2/badge.json"), Some(&badge::PARAMETERS[..]));
        for path in ["/counters/2/", "/counters/badge.svg", "/", "/counters/2/recover"] {
            assert_eq!(known_parameters(path), None, "{path}");
        }
    }
}
