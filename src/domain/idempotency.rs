//! The `Idempotency-Key` of a request.

use std::str::FromStr;

use smol_str::SmolStr;

/// 1 to 255 visible ASCII characters, as the client chose them. Accepted bare (as most APIs take it) and as a quoted
/// string (as draft-ietf-httpapi-idempotency-key-header writes it); both spellings are the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(SmolStr);

/// Why a header value is no [`IdempotencyKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdempotencyKeyError {
    /// Nothing, or nothing between the quotes.
    #[error("Idempotency-Key must not be empty")]
    Empty,
    /// More than [`IdempotencyKey::MAX_LEN`] characters.
    #[error("Idempotency-Key has at most 255 characters")]
    TooLong,
    /// A space, a control character, something beyond ASCII, or a lone quote.
    #[error("Idempotency-Key consists of visible ASCII characters, bare or between double quotes")]
    BadCharacter,
}

impl IdempotencyKey {
    /// The greatest length without the quotes, in characters.
    pub const MAX_LEN: usize = 255;

    /// The key without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = ParseIdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        if bare.is_empty() {
            return Err(ParseIdempotencyKeyError::Empty);
        }
        if !bare.bytes().all(|b| b.is_ascii_graphic() && b != b'"') {
            return Err(ParseIdempotencyKeyError::BadCharacter);
        }
        if bare.len() > Self::MAX_LEN {
            return Err(ParseIdempotencyKeyError::TooLong);
        }
        Ok(IdempotencyKey(SmolStr::new(bare)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quoted_and_bare_are_the_same_key() {
        let bare: IdempotencyKey = "8e03978e".parse().expect("a key");
        assert_eq!("\"8e03978e\"".parse(), Ok(bare));
    }

    #[test]
    fn the_mistake_in_a_key_is_named() {
        for (text, expected) in [
            ("", ParseIdempotencyKeyError::Empty),
            ("\"\"", ParseIdempotencyKeyError::Empty),
            ("a b", ParseIdempotencyKeyError::BadCharacter),
            ("\"a", ParseIdempotencyKeyError::BadCharacter),
            ("ü", ParseIdempotencyKeyError::BadCharacter),
        ] {
            assert_eq!(text.parse::<IdempotencyKey>(), Err(expected), "{text:?}");
        }
        assert_eq!("k".repeat(256).parse::<IdempotencyKey>(), Err(ParseIdempotencyKeyError::TooLong));
        assert!("k".repeat(255).parse::<IdempotencyKey>().is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,300}") {
            if let Ok(key) = text.parse::<IdempotencyKey>() {
                prop_assert!((1..=255).contains(&key.as_str().len()));
            }
        }
    }
}
