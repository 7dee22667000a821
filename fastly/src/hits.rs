//! The hits of pages: `/count` and `/nocount`, and what is below them.

use crate::{badge, past};

/// Whether the path is about the hits of a page: `/count`, `/nocount`, or one below them.
pub(crate) fn is_hits(path: &str) -> bool {
    let rest = path.strip_prefix("/count").or_else(|| path.strip_prefix("/nocount"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the path only reads the hits of pages or sites, which can also be a stream.
pub(crate) fn reads_hits(path: &str) -> bool {
    matches!(path, "/nocount" | "/nocount/site")
}

/// The parameters of what is known about the hits of one page or site besides the number: its past, and the badge for shields.io. `None` for
/// any other path. Of the addresses of pages in such a query, only the first counts.
pub(crate) fn parameters(path: &str) -> Option<&'static [&'static str]> {
    match path {
        "/nocount/history" | "/nocount/chart.svg" => Some(&PAST_PARAMETERS),
        "/nocount/tag.json" => Some(&badge::PARAMETERS),
        _ => None,
    }
}

/// The parameters of the past of hits.
const PAST_PARAMETERS: [&str; past::PARAMETERS.len() + 1] = {
    let [unit, last, tz, format, form, theme] = past::PARAMETERS;
    ["of", unit, last, tz, format, form, theme]
};

/// The first address of a page in the query, as `url=…`.
pub(crate) fn first_page(query: &str) -> Option<&str> {
    query.split('&').find(|part| is_url(part))
}

/// Whether the query names a page. Where it does not, the header `Referer` names the page, which is not part of the cache's key.
pub(crate) fn names_page(query: &str) -> bool {
    query.split('&').any(is_url)
}

/// The query with the addresses of pages alone, in their order: for an answer that has one number, the first address counts.
pub(crate) fn pages(query: &str) -> String {
    query.split('&').filter(|part| is_url(part)).collect::<Vec<_>>().join("&")
}

fn is_url(part: &str) -> bool {
    part.starts_with("url=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_pages_count() {
        for (query, kept) in [
            ("url=a", "url=a"),
            ("_=1&url=b&x&url=a%26b&urls=c", "url=b&url=a%26b"),
            ("curl=a", ""),
            ("url", ""),
            ("", ""),
        ] {
            assert_eq!(pages(query), kept, "{query}");
            assert_eq!(names_page(query), !kept.is_empty(), "{query}");
        }
    }

    #[test]
    fn the_hits_of_pages_are_known_by_their_paths() {
        for path in ["/count", "/count/", "/nocount/tag.svg", "/nocount/site"] {
            assert!(is_hits(path), "{path}");
        }
        for path in ["/country", "/nocounts", "/counters/count/"] {
            assert!(!is_hits(path), "{path}");
        }
        assert!(reads_hits("/nocount") && reads_hits("/nocount/site"));
        for path in [
            "/nocount",
            "/nocount/site",
            "/nocount/tag.svg",
            "/nocount/top",
            "/nocount/uniques",
            "/count/history",
        ] {
            assert_eq!(parameters(path), None, "{path}");
        }
        assert!(!reads_hits("/count") && !reads_hits("/nocount/") && !reads_hits("/nocount/tag.svg"));
    }
}
