//! The key of an entity.

use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;

use super::route::bad_character;

/// What an entity is called among those of its route, as in `2026-02-10`: 1 to 256 of `A-Z a-z 0-9 - _ . ~ :`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityKey(SmolStr);

/// Why a text is no [`EntityKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseEntityKeyError {
    /// No character at all.
    #[error("a key must not be empty")]
    Empty,
    /// More than [`EntityKey::MAX_LEN`] characters.
    #[error("a key has at most 256 characters, this one has {0}")]
    TooLong(usize),
    /// A character outside the set.
    #[error("a key consists of A-Z a-z 0-9 - _ . ~ :, character {position} is {found:?}")]
    BadCharacter {
        /// The position of the character, counted from 1.
        position: usize,
        /// The character.
        found: char,
    },
    /// A dot segment of a path.
    #[error("a key must not be . or .., which are taken out of paths")]
    DotSegment,
}

impl EntityKey {
    /// The greatest length, in characters.
    pub const MAX_LEN: usize = 256;

    /// The key as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntityKey {
    type Err = ParseEntityKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | ':');
        if text.is_empty() {
            return Err(ParseEntityKeyError::Empty);
        }
        if let Some((position, found)) = bad_character(text, allowed) {
            return Err(ParseEntityKeyError::BadCharacter { position, found });
        }
        if matches!(text, "." | "..") {
            return Err(ParseEntityKeyError::DotSegment);
        }
        if text.len() > Self::MAX_LEN {
            return Err(ParseEntityKeyError::TooLong(text.len()));
        }
        Ok(EntityKey(text.into()))
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_wrong_with_a_key_is_named() {
        use ParseEntityKeyError as Error;
        for (text, expected) in [
            ("", Error::Empty),
            (".", Error::DotSegment),
            ("..", Error::DotSegment),
            ("a/b", Error::BadCharacter { position: 2, found: '/' }),
            ("a b", Error::BadCharacter { position: 2, found: ' ' }),
            ("ü", Error::BadCharacter { position: 1, found: 'ü' }),
            ("a%41", Error::BadCharacter { position: 2, found: '%' }),
            (&"a".repeat(257), Error::TooLong(257)),
        ] {
            assert_eq!(text.parse::<EntityKey>(), Err(expected), "{text:?}");
        }
        for text in ["2026-02-10", "2026-02-10T13:00", "a.b~c_", "...", &"a".repeat(256)] {
            assert_eq!(text.parse::<EntityKey>().expect("a key").as_str(), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "([a-z.~:]|\\PC){0,20}") {
            if let Ok(key) = text.parse::<EntityKey>() {
                prop_assert_eq!(key.as_str(), text);
            }
        }
    }
}
