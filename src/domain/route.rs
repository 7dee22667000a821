//! The names of routes: what entities and feeds are called.

use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;

/// The name of a kind of entities and of a feed, as in `analytics/daily`: 1 to 10 segments of `A-Z a-z 0-9 - _ .` with slashes
/// between them. So a route needs no percent-encoding in a path, a header or a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route(SmolStr);

/// Why a text is no [`Route`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRouteError {
    /// No character at all.
    #[error("a route must not be empty; it looks like analytics/daily")]
    Empty,
    /// More than [`Route::MAX_LEN`] characters.
    #[error("a route has at most 512 characters, this one has {0}")]
    TooLong(usize),
    /// More than [`Route::MAX_SEGMENTS`] segments.
    #[error("a route has at most 10 segments, this one has {0}")]
    TooManySegments(usize),
    /// A slash at the beginning, at the end or behind another slash.
    #[error("a route has characters before and behind each slash, as in analytics/daily")]
    EmptySegment,
    /// A character outside the set.
    #[error("a route consists of A-Z a-z 0-9 - _ . and slashes, character {position} is {found:?}")]
    BadCharacter {
        /// The position of the character, counted from 1.
        position: usize,
        /// The character.
        found: char,
    },
    /// A dot segment of a path.
    #[error("no segment of a route may be . or .., which are taken out of paths")]
    DotSegment,
}

impl Route {
    /// The greatest length, in characters.
    pub const MAX_LEN: usize = 512;
    /// The greatest number of segments.
    pub const MAX_SEGMENTS: usize = 10;

    /// The route as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the service itself writes under this route. No client may.
    pub fn is_own(&self) -> bool {
        self.0.starts_with('_')
    }

    /// The routes above this one, the shortest first: `a` and `a/b` for `a/b/c`.
    pub fn parents(&self) -> impl Iterator<Item = Route> {
        self.0.match_indices('/').map(|(at, _)| Route(self.0[..at].into()))
    }
}

/// The position, counted from 1, and the character of the first character that `allowed` refuses.
pub(super) fn bad_character(text: &str, allowed: impl Fn(char) -> bool) -> Option<(usize, char)> {
    text.chars().enumerate().find(|(_, c)| !allowed(*c)).map(|(at, c)| (at + 1, c))
}

impl FromStr for Route {
    type Err = ParseRouteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if text.is_empty() {
            return Err(ParseRouteError::Empty);
        }
        if let Some((position, found)) = bad_character(text, allowed) {
            return Err(ParseRouteError::BadCharacter { position, found });
        }
        if text.len() > Self::MAX_LEN {
            return Err(ParseRouteError::TooLong(text.len()));
        }
        if text.split('/').any(str::is_empty) {
            return Err(ParseRouteError::EmptySegment);
        }
        if text.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(ParseRouteError::DotSegment);
        }
        let segments = text.split('/').count();
        if segments > Self::MAX_SEGMENTS {
            return Err(ParseRouteError::TooManySegments(segments));
        }
        Ok(Route(text.into()))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_wrong_with_a_route_is_named() {
        use ParseRouteError as Error;
        for (text, expected) in [
            ("", Error::Empty),
            ("/", Error::EmptySegment),
            ("/a", Error::EmptySegment),
            ("a/", Error::EmptySegment),
            ("a//b", Error::EmptySegment),
            ("a/../b", Error::DotSegment),
            (".", Error::DotSegment),
            ("a b", Error::BadCharacter { position: 2, found: ' ' }),
            ("é", Error::BadCharacter { position: 1, found: 'é' }),
            ("a/*", Error::BadCharacter { position: 3, found: '*' }),
            ("a%2Fb", Error::BadCharacter { position: 2, found: '%' }),
            ("a~", Error::BadCharacter { position: 2, found: '~' }),
            ("a\0", Error::BadCharacter { position: 2, found: '\0' }),
            ("1/2/3/4/5/6/7/8/9/10/11", Error::TooManySegments(11)),
            (&"a".repeat(513), Error::TooLong(513)),
        ] {
            assert_eq!(text.parse::<Route>(), Err(expected), "{text:?}");
        }
        for text in ["a", "analytics/daily", "A-b_c.9/.hidden/...", "1/2/3/4/5/6/7/8/9/10", &"a".repeat(512)]
        {
            assert_eq!(text.parse::<Route>().expect("a route").as_str(), text);
        }
    }

    #[test]
    fn a_route_knows_those_above_it_and_whether_the_service_owns_it() {
        let route = |text: &str| text.parse::<Route>().expect("a route");
        assert_eq!(route("a/b/c").parents().collect::<Vec<_>>(), [route("a"), route("a/b")]);
        assert_eq!(route("a").parents().count(), 0);
        assert!(route("_admin/daily").is_own() && route("_x").is_own());
        assert!(!route("admin/_daily").is_own());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "([a-z/._]|\\PC){0,20}") {
            if let Ok(route) = text.parse::<Route>() {
                prop_assert_eq!(route.as_str(), text);
            }
        }
    }
}
