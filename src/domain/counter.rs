//! The name of a counter.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use smol_str::SmolStr;

/// 1 to 64 of `A-Z a-z 0-9 . _ ~ -` (the unreserved characters of RFC 3986): safe in a path, a header and a key. `.` and `..`
/// are no ids: clients and proxies remove them from a path (RFC 3986, 5.2.4), and the path would name another resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CounterId(SmolStr);

/// Why a text is no [`CounterId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCounterIdError {
    /// No character at all.
    #[error("a counter id must not be empty")]
    Empty,
    /// More than [`CounterId::MAX_LEN`] characters.
    #[error("a counter id has at most 64 characters, this one has {0}")]
    TooLong(usize),
    /// A character outside the set.
    #[error("a counter id consists of A-Z a-z 0-9 . _ ~ -, character {} is another", .0 + 1)]
    BadCharacter(usize),
    /// A dot segment of a path.
    #[error("a counter id must not be . or .., which are taken out of paths")]
    DotSegment,
}

impl CounterId {
    /// The greatest length, in characters.
    pub const MAX_LEN: usize = 64;

    /// Checks that ids can begin with this text, as each of them does with an empty one.
    pub fn check_prefix(text: &str) -> Result<(), ParseCounterIdError> {
        match text.parse::<CounterId>() {
            // `.` and `..` are no ids, but ids can begin with them.
            Ok(_) | Err(ParseCounterIdError::Empty | ParseCounterIdError::DotSegment) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The id of a text that another type has checked: an id that is made from a name.
    pub(super) fn of_checked(text: String) -> Self {
        debug_assert!(text.parse::<CounterId>().is_ok(), "{text}");
        CounterId(text.into())
    }

    /// The id as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CounterId {
    type Err = ParseCounterIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-');
        if text.is_empty() {
            return Err(ParseCounterIdError::Empty);
        }
        if let Some(position) = text.chars().position(|c| !allowed(c)) {
            return Err(ParseCounterIdError::BadCharacter(position));
        }
        if matches!(text, "." | "..") {
            return Err(ParseCounterIdError::DotSegment);
        }
        if text.len() > Self::MAX_LEN {
            return Err(ParseCounterIdError::TooLong(text.len()));
        }
        Ok(CounterId(text.into()))
    }
}

impl fmt::Display for CounterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_mistake_in_an_id_is_named() {
        assert_eq!("".parse::<CounterId>(), Err(ParseCounterIdError::Empty));
        assert_eq!("a/b".parse::<CounterId>(), Err(ParseCounterIdError::BadCharacter(1)));
        assert_eq!("é".parse::<CounterId>(), Err(ParseCounterIdError::BadCharacter(0)));
        assert_eq!("a\n".parse::<CounterId>(), Err(ParseCounterIdError::BadCharacter(1)));
        assert_eq!("x".repeat(65).parse::<CounterId>(), Err(ParseCounterIdError::TooLong(65)));
        assert!("x".repeat(64).parse::<CounterId>().is_ok());
        assert_eq!("..".parse::<CounterId>(), Err(ParseCounterIdError::DotSegment));
        assert!("...".parse::<CounterId>().is_ok());
    }

    proptest! {
        #[test]
        fn exactly_the_documented_texts_are_ids(text in "[A-Za-z0-9._~-]{1,64}") {
            prop_assume!(text != "." && text != "..");
            let id: CounterId = text.parse().expect("a documented id");
            prop_assert_eq!(id.as_str(), text.as_str());
        }

        #[test]
        fn anything_else_is_refused(text in "\\PC{0,80}") {
            let documented = (1..=64).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b))
                && text != "."
                && text != "..";
            prop_assert_eq!(text.parse::<CounterId>().is_ok(), documented);
        }
    }
}
