//! The setting `public`: the routes that every client may read.

/// The routes whose entities and feeds every client may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicRoutes(Vec<PublicRoute>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum PublicRoute {
    /// This route alone.
    One(String),
    /// All routes that begin with this text, which ends with a slash or is empty.
    Below(String),
}

/// The reason for refusing a text as a rule for public routes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} must be a route such as analytics/daily, the routes below one such as analytics/*, or * for all"
)]
pub struct ParsePublicRoutesError(String);

/// The number of characters of a rule that an error quotes at most.
const LONGEST_SHOWN: usize = 60;

impl PublicRoutes {
    /// Parses a list such as `["analytics/*", "status"]`.
    pub fn parse<'a>(rules: impl IntoIterator<Item = &'a str>) -> Result<Self, ParsePublicRoutesError> {
        rules.into_iter().map(PublicRoute::parse).collect::<Result<_, _>>().map(PublicRoutes)
    }

    /// Returns whether every client may read what is under this route.
    pub fn covers(&self, route: &str) -> bool {
        self.0.iter().any(|rule| match rule {
            PublicRoute::One(one) => one == route,
            // The routes of the service itself are public only if a rule names them.
            PublicRoute::Below(begin) => {
                route.starts_with(begin.as_str()) && !(begin.is_empty() && route.starts_with('_'))
            }
        })
    }

    /// Returns whether every client may listen to all routes that begin with this text. Such streams have nothing of the service's own routes unless the text names
    /// them.
    pub fn covers_all(&self, prefix: &str) -> bool {
        self.0.iter().any(|rule| match rule {
            PublicRoute::One(_) => false,
            PublicRoute::Below(begin) => {
                prefix.starts_with(begin.as_str()) && !(begin.is_empty() && prefix.starts_with('_'))
            }
        })
    }
}

impl PublicRoute {
    fn parse(text: &str) -> Result<Self, ParsePublicRoutesError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let segment =
            |text: &str| !text.is_empty() && !matches!(text, "." | "..") && text.chars().all(allowed);
        let (route, below) = match text.strip_suffix('*') {
            Some("") => return Ok(PublicRoute::Below(String::new())),
            Some(begin) => (begin.strip_suffix('/'), true),
            None => (Some(text), false),
        };
        match route.filter(|route| route.len() <= 512 && route.split('/').all(segment)) {
            Some(route) if below => Ok(PublicRoute::Below(format!("{route}/"))),
            Some(route) => Ok(PublicRoute::One(route.to_owned())),
            None => Err(ParsePublicRoutesError(text.chars().take(LONGEST_SHOWN).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(list: &[&str]) -> PublicRoutes {
        PublicRoutes::parse(list.iter().copied()).expect("rules")
    }

    #[test]
    fn rules_open_one_route_or_those_below_it() {
        let some = rules(&["analytics/*", "status", "_admin/daily"]);
        for (route, covered) in [
            ("analytics/daily", true),
            ("analytics/a/b", true),
            ("analytics", false),
            ("analytics2/daily", false),
            ("status", true),
            ("status/x", false),
            ("_admin/daily", true),
            ("_admin/events", false),
        ] {
            assert_eq!(some.covers(route), covered, "{route}");
        }
        let all = rules(&["*"]);
        assert!(all.covers("a/b") && !all.covers("_admin/daily") && !rules(&[]).covers("a"));
        assert!(rules(&["_admin/*"]).covers("_admin/daily"));
    }

    #[test]
    fn a_prefix_is_open_where_all_of_it_is() {
        let some = rules(&["analytics/*", "status"]);
        for (prefix, covered) in
            [("analytics/", true), ("analytics/a/", true), ("", false), ("status/", false), ("a", false)]
        {
            assert_eq!(some.covers_all(prefix), covered, "{prefix}");
        }
        let all = rules(&["*"]);
        assert!(all.covers_all("a/") && all.covers_all("") && !all.covers_all("_admin/"));
    }

    #[test]
    fn a_rule_that_is_no_route_is_refused() {
        for text in
            ["", "/", "a/", "/a", "a//b", "a*", "*/a", "a/**", "a b", "a/../b", "caf\u{e9}", "/*", "**"]
        {
            assert_eq!(
                PublicRoutes::parse([text]).expect_err(text).to_string(),
                format!(
                    "{text:?} must be a route such as analytics/daily, the routes below one such as analytics/*, or * for all"
                )
            );
        }
    }
}
