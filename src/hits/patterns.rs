//! Patterns for the addresses of pages.

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// The most bytes that all patterns together may take when they are compiled. The time of a search does not depend on how a
/// pattern is written: it grows only with the length of the address.
const SIZE_LIMIT: usize = 1 << 20;

/// Regular expressions. An address fits if one of them fits any part of it. `None` if there is none: a set takes memory even if it
/// is empty.
#[derive(Clone, Debug)]
pub struct Patterns(Option<RegexSet>);

/// Why texts are no patterns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePatternsError {
    /// A text is empty, and would fit every address.
    #[error("a pattern is empty, so it would fit every address")]
    Empty,
    /// A text is no regular expression.
    #[error("{pattern:?} is no regular expression: {problem}")]
    Syntax {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The patterns take too much memory.
    #[error("the patterns are too large: together they may take {SIZE_LIMIT} bytes when they are compiled")]
    Large,
}

impl Patterns {
    /// Compiles patterns.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str> + Clone) -> Result<Self, ParsePatternsError> {
        if texts.clone().into_iter().next().is_none() {
            return Ok(Patterns(None));
        }
        texts.clone().into_iter().try_for_each(|text| check(text).map(drop))?;
        let set = RegexSetBuilder::new(texts).size_limit(SIZE_LIMIT).build();
        set.map(|set| Patterns(Some(set))).map_err(|_| ParsePatternsError::Large)
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a pattern fits a part of the address.
    pub fn fit(&self, address: &str) -> bool {
        self.0.as_ref().is_some_and(|set| set.is_match(address))
    }
}

/// Compiles one pattern, so that an error can name it.
fn check(text: &str) -> Result<Regex, ParsePatternsError> {
    if text.is_empty() {
        return Err(ParsePatternsError::Empty);
    }
    RegexBuilder::new(text).size_limit(SIZE_LIMIT).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => ParsePatternsError::Large,
        // The parser draws the place of the error below the pattern. Its last line says what is wrong.
        error => {
            let drawn = error.to_string();
            let last = drawn.lines().last().unwrap_or_default();
            let problem = last.strip_prefix("error: ").unwrap_or(last).to_owned();
            ParsePatternsError::Syntax { pattern: text.to_owned(), problem }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_pattern_fits_any_part_of_an_address() {
        let patterns = Patterns::parse(["example\\.com", "^docs\\."]).expect("patterns");
        for (address, expected) in [
            ("www.example.com/a", true),
            ("other.org/example.com", true),
            ("docs.other.org", true),
            ("my-docs.other.org", false),
            ("www.examplexcom/a", false),
        ] {
            assert_eq!(patterns.fit(address), expected, "{address}");
        }
        assert!(Patterns::parse([]).expect("none").is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_pattern_is_named() {
        for (text, expected) in [
            ("", "a pattern is empty, so it would fit every address"),
            ("(a", "\"(a\" is no regular expression: unclosed group"),
            (
                "(?=a)",
                "\"(?=a)\" is no regular expression: look-around, including look-ahead and look-behind, is not supported",
            ),
            (
                "(a{1000}){1000}",
                "the patterns are too large: together they may take 1048576 bytes when they are compiled",
            ),
        ] {
            assert_eq!(
                Patterns::parse([text]).err().map(|error| error.to_string()).as_deref(),
                Some(expected)
            );
        }
    }

    #[test]
    fn a_pattern_that_would_backtrack_takes_no_longer() {
        let patterns = Patterns::parse(["^(a+)+$", "(.*)*x(.*)*y"]).expect("patterns");
        let (address, started) = (format!("{}!", "a".repeat(2000)), Instant::now());
        assert!(!patterns.fit(&address));
        assert!(started.elapsed() < Duration::from_secs(1));
    }
}
