//! The beginning of names, to which a scope is limited.

use std::fmt;
use std::str::FromStr;

use crate::nearest::nearest;

/// The longest prefix, in bytes. The address of a page may be long; a prefix that is longer than this is refused as a mistake.
const LONGEST: usize = 512;
/// The number of characters of a prefix that an error quotes at most.
const LONGEST_SHOWN: usize = 60;

/// The kind of thing that a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Counters: `counters/{id}`.
    Counters,
    /// Sites: `sites/{host}`.
    Sites,
    /// Pages: `pages/{host/path}`.
    Pages,
    /// Entities and feeds: `routes/{route}`.
    Routes,
}

impl Space {
    const ALL: [Space; 4] = [Space::Counters, Space::Sites, Space::Pages, Space::Routes];

    /// The word before the slash.
    pub fn word(self) -> &'static str {
        match self {
            Space::Counters => "counters",
            Space::Sites => "sites",
            Space::Pages => "pages",
            Space::Routes => "routes",
        }
    }

    /// The noun that errors use for a name in this space.
    fn noun(self) -> &'static str {
        match self {
            Space::Counters => "counter's id",
            Space::Sites => "host",
            Space::Pages => "page's address",
            Space::Routes => "route",
        }
    }

    /// Returns whether a prefix in this space may have this character. The address of a page may contain a star, but a star in a prefix is
    /// refused, because it looks like a pattern.
    fn has(self, c: char) -> bool {
        let unreserved = c.is_ascii_alphanumeric() || "._~-".contains(c);
        match self {
            Space::Counters => unreserved,
            Space::Sites => c.is_ascii_alphanumeric() || ".-:[]".contains(c),
            Space::Pages | Space::Routes => unreserved || "/%:@!&'(),;=+?[]".contains(c),
        }
    }
}

/// The beginning of `counters/{id}`, `sites/{host}`, `pages/{host/path}` or `routes/{route}`; an empty prefix is for all names.
/// A prefix is plain text and never a pattern. Names are compared with a slash behind them, so that the prefix `counters/1/` covers the
/// counter `1` alone, while the prefix `counters/1` covers the counter `10`, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

/// The reason for refusing a text as a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePrefixError {
    /// The text does not begin with the word of a space and a slash.
    #[error(
        "the prefix {shown:?} must be empty or begin with counters/, sites/, pages/ or routes/{}",
        meant(.nearest)
    )]
    Space {
        /// The prefix; a long one is cut.
        shown: String,
        /// The space with the most similar word, if one is similar enough.
        nearest: Option<&'static str>,
    },
    /// The text has a character that no name has.
    #[error(
        "the prefix {shown:?} has {found:?} as character {position}, which no {noun} has; \
         a prefix is plain text, not a pattern: write the beginning of the names that are meant"
    )]
    Character {
        /// The prefix; a long one is cut.
        shown: String,
        /// The character.
        found: char,
        /// The position of the character, counted from 1.
        position: usize,
        /// The noun for the names of the space.
        noun: &'static str,
    },
    /// The text has more bytes than a prefix may have.
    #[error("the prefix may have at most {LONGEST} bytes")]
    Long,
}

fn meant(nearest: &Option<&'static str>) -> String {
    nearest.map(|word| format!("; did you mean {word}/?")).unwrap_or_default()
}

impl Prefix {
    /// The prefix of all names.
    pub const ALL: Prefix = Prefix(String::new());

    /// The text of the prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the name `space/name`, with a slash behind it, begins with this prefix.
    pub fn covers_name(&self, space: Space, name: &str) -> bool {
        match self.rest(space) {
            Some(rest) => name.starts_with(rest) || rest.strip_suffix('/') == Some(name),
            None => false,
        }
    }

    /// Returns whether all names of `space` that begin with `prefix` begin with this prefix, too.
    pub fn covers_prefix(&self, space: Space, prefix: &str) -> bool {
        self.rest(space).is_some_and(|rest| prefix.starts_with(rest))
    }

    /// Returns the part of the prefix behind the space's word and its slash; `None` if the prefix is of another space.
    pub(super) fn rest(&self, space: Space) -> Option<&str> {
        if self.0.is_empty() {
            return Some("");
        }
        self.0.strip_prefix(space.word())?.strip_prefix('/')
    }
}

impl FromStr for Prefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        if text.is_empty() {
            return Ok(Prefix::ALL);
        }
        if text.len() > LONGEST {
            return Err(ParsePrefixError::Long);
        }
        let shown = || text.chars().take(LONGEST_SHOWN).collect::<String>();
        let (word, rest) = text.split_once('/').unwrap_or((text, ""));
        let space = Space::ALL.into_iter().find(|space| space.word() == word && text.contains('/'));
        let space = space.ok_or_else(|| ParsePrefixError::Space {
            shown: shown(),
            nearest: nearest(word, Space::ALL.map(Space::word)),
        })?;
        // A prefix for one whole name may end with a slash that is no part of the name.
        let name = if space == Space::Counters || space == Space::Sites {
            rest.strip_suffix('/').unwrap_or(rest)
        } else {
            rest
        };
        match name.chars().enumerate().find(|(_, c)| !space.has(*c)) {
            None => Ok(Prefix(text.to_owned())),
            Some((at, found)) => Err(ParsePrefixError::Character {
                shown: shown(),
                found,
                position: word.len() + 1 + at + 1,
                noun: space.noun(),
            }),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().expect("a prefix")
    }

    fn problem(text: &str) -> String {
        text.parse::<Prefix>().expect_err("a refusal").to_string()
    }

    #[test]
    fn a_prefix_covers_the_names_that_begin_with_it() {
        for (text, space, name, covered) in [
            ("", Space::Counters, "1", true),
            ("", Space::Pages, "example.org/", true),
            ("counters/", Space::Counters, "1", true),
            ("counters/", Space::Sites, "1", false),
            ("counters/shop-", Space::Counters, "shop-1", true),
            ("counters/shop-", Space::Counters, "shop", false),
            ("counters/1", Space::Counters, "1", true),
            ("counters/1", Space::Counters, "10", true),
            ("counters/1", Space::Counters, "21", false),
            ("sites/example.org", Space::Sites, "example.org.evil.test", true),
            ("sites/example.org/", Space::Sites, "example.org.evil.test", false),
            ("sites/example.org/", Space::Sites, "example.org", true),
            ("pages/example.org/blog/", Space::Pages, "example.org/blog/1", true),
            ("pages/example.org/blog/", Space::Pages, "example.org/blog", true),
            ("pages/example.org/blog/", Space::Pages, "example.org/blogs", false),
            ("routes/orders/", Space::Routes, "orders/de", true),
        ] {
            assert_eq!(prefix(text).covers_name(space, name), covered, "{text} {name}");
        }
    }

    #[test]
    fn a_slash_behind_a_name_means_that_name_alone() {
        let one = prefix("counters/1/");
        for (name, covered) in [("1", true), ("10", false), ("", false)] {
            assert_eq!(one.covers_name(Space::Counters, name), covered, "{name}");
        }
        assert!(!one.covers_prefix(Space::Counters, "1") && !one.covers_prefix(Space::Counters, ""));
    }

    #[test]
    fn a_list_is_covered_only_where_all_of_it_is() {
        for (text, asked, covered) in [
            ("", "", true),
            ("counters/", "", true),
            ("counters/shop-", "", false),
            ("counters/shop-", "shop", false),
            ("counters/shop-", "shop-", true),
            ("counters/shop-", "shop-a", true),
            ("sites/", "", false),
        ] {
            assert_eq!(prefix(text).covers_prefix(Space::Counters, asked), covered, "{text} {asked}");
        }
    }

    #[test]
    fn a_pattern_is_refused_and_the_character_named() {
        assert_eq!(
            problem("counters/shop-*"),
            "the prefix \"counters/shop-*\" has '*' as character 15, which no counter's id has; a prefix is \
             plain text, not a pattern: write the beginning of the names that are meant"
        );
        for text in [
            "counters/.*",
            "counters/^shop",
            "counters/(a|b)",
            "counters/[0-9]+",
            "counters/a/b",
            "counters/a//",
            "counters/caf\u{e9}",
            "counters/a b",
            "counters/a\0",
            "counters/%61",
            "sites/*.example.org",
            "sites/example.org/path",
            "pages/example.org/*",
            "pages/example.org/a b",
            "pages/example.org/\u{202e}",
            "routes/orders\n",
            "routes/\\d+",
        ] {
            assert!(
                matches!(text.parse::<Prefix>(), Err(ParsePrefixError::Character { .. })),
                "{text:?} {:?}",
                text.parse::<Prefix>()
            );
        }
    }

    #[test]
    fn another_space_is_refused_and_the_nearest_named() {
        assert_eq!(
            problem("counter/1"),
            "the prefix \"counter/1\" must be empty or begin with counters/, sites/, pages/ or routes/; did you mean \
             counters/?"
        );
        assert_eq!(
            problem("shop-"),
            "the prefix \"shop-\" must be empty or begin with counters/, sites/, pages/ or routes/"
        );
        for text in ["counters", "Counters/1", "/counters/1", " counters/1", ".*", "*", "/"] {
            assert!(matches!(text.parse::<Prefix>(), Err(ParsePrefixError::Space { .. })), "{text:?}");
        }
        assert_eq!(
            problem(&format!("counters/{}", "a".repeat(10_000))),
            "the prefix may have at most 512 bytes"
        );
    }

    proptest! {
        #[test]
        fn the_beginning_of_a_name_covers_the_name(name in "[A-Za-z0-9._~-]{1,64}", cut in 0_usize..64) {
            let begin = &name[..cut.min(name.len())];
            let prefix = prefix(&format!("counters/{begin}"));
            prop_assert!(prefix.covers_name(Space::Counters, &name));
            prop_assert!(prefix.covers_prefix(Space::Counters, &name));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(counters/|pages/|sites)?\\PC{0,40}") {
            if let Ok(prefix) = text.parse::<Prefix>() {
                prop_assert_eq!(prefix.to_string(), text);
            }
        }
    }
}
