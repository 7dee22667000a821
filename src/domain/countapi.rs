//! The names that counters have in CountAPI, and the ids that follow from them.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use smol_str::SmolStr;

use super::CounterId;

/// How many characters of a namespace and a key are in the id of a counter whose whole name does not fit into an id.
const SHOWN_LEN: usize = 40;
/// How many bytes of the digest of a name are in such an id: 128 bits, as in the names of pages. With base64 they have 22 characters.
const DIGEST_LEN: usize = 16;

/// A namespace or a key of CountAPI: 3 to 64 of `A-Z a-z 0-9 _ - .`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountApiWord(SmolStr);

/// The name of a counter in CountAPI: a key in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountApiName {
    /// The namespace.
    pub namespace: CountApiWord,
    /// The key within the namespace.
    pub key: CountApiWord,
}

/// The error for a text that is no namespace and no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a namespace or a key of CountAPI has 3 to 64 characters of A-Z a-z 0-9 _ - .")]
pub struct ParseCountApiWordError;

impl CountApiWord {
    /// The least and the greatest length, in characters.
    pub const LENGTHS: std::ops::RangeInclusive<usize> = 3..=64;

    /// The namespace of keys that are named without one.
    pub fn default_namespace() -> Self {
        CountApiWord("default".into())
    }

    /// The word that is most similar to this text: without the characters that no word has, cut at the greatest length, and with dots
    /// behind it if it is too short.
    pub fn lossy(text: &str) -> Self {
        let kept = text.chars().filter(|c| is_allowed(*c)).take(*Self::LENGTHS.end());
        let mut word: String = kept.collect();
        while word.len() < *Self::LENGTHS.start() {
            word.push('.');
        }
        CountApiWord(word.into())
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

impl FromStr for CountApiWord {
    type Err = ParseCountApiWordError;

    fn from_str(text: &str) -> Result<Self, ParseCountApiWordError> {
        let fits = Self::LENGTHS.contains(&text.len()) && text.chars().all(is_allowed);
        if fits { Ok(CountApiWord(text.into())) } else { Err(ParseCountApiWordError) }
    }
}

impl fmt::Display for CountApiWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CountApiName {
    /// The id of the counter that has this name: `{namespace}~{key}` if that fits into an id. Else it is the beginning of that text,
    /// `~~` and a digest of the whole text.
    ///
    /// No two names share an id: a namespace and a key have no `~`, so an id of the first form has one of them, and an id of the
    /// second form at least two.
    pub fn counter_id(&self) -> CounterId {
        let whole = format!("{}~{}", self.namespace, self.key);
        let id = if whole.len() <= CounterId::MAX_LEN {
            whole
        } else {
            let digest = digest(&SHA256, whole.as_bytes());
            let digest = URL_SAFE_NO_PAD.encode(&digest.as_ref()[..DIGEST_LEN]);
            // All characters are ASCII, so this cuts between two characters.
            format!("{}~~{digest}", &whole[..SHOWN_LEN])
        };
        CounterId::of_checked(id)
    }
}

/// `namespace/key`.
impl fmt::Display for CountApiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(namespace: &str, key: &str) -> String {
        let word = |text: &str| text.parse().expect("a word");
        CountApiName { namespace: word(namespace), key: word(key) }.counter_id().to_string()
    }

    #[test]
    fn a_name_that_fits_into_an_id_is_readable_there() {
        assert_eq!(id("example.com", "visits"), "example.com~visits");
        assert_eq!(id("...", "..."), "...~...");
        let key = "k".repeat(36);
        assert_eq!(id(&"n".repeat(27), &key), format!("{}~{key}", "n".repeat(27)));
    }

    /// If this test fails, counters that were counted under the ids of the version before are no longer found.
    #[test]
    fn the_id_of_a_long_name_has_its_beginning_and_a_digest() {
        let uuid = "6d5891ff-ebda-48fb-a760-8549d6a3bf3a";
        assert_eq!(id(uuid, uuid), format!("{uuid}~6d5~~ieRLDeN8aX02w37zbFV_9w"));
        assert_ne!(id(uuid, &"k".repeat(64)), id(uuid, &format!("{}x", "k".repeat(63))));
    }

    #[test]
    fn a_word_has_3_to_64_characters_of_the_set() {
        for text in ["abc", "A.b_c-9", "...", &"x".repeat(64)] {
            assert_eq!(text.parse::<CountApiWord>().expect("a word").to_string(), text);
        }
        for text in ["", "ab", &"x".repeat(65), "a b", "a/b", "a~b", "abcé", "abc\n", ":HOST:"] {
            assert_eq!(text.parse::<CountApiWord>(), Err(ParseCountApiWordError), "{text:?}");
        }
    }

    #[test]
    fn a_text_becomes_the_most_similar_word() {
        for (text, expected) in
            [("/example/page", "examplepage"), ("/", "..."), ("a", "a.."), ("/~me/ä%20b.html", "me20b.html")]
        {
            assert_eq!(CountApiWord::lossy(text).to_string(), expected, "{text}");
        }
        assert_eq!(CountApiWord::lossy(&"/x".repeat(100)).to_string(), "x".repeat(64));
    }

    proptest! {
        #[test]
        fn every_name_has_a_valid_id_of_its_own(
            a in ("[A-Za-z0-9_.-]{3,64}", "[A-Za-z0-9_.-]{3,64}"), b in ("[A-Za-z0-9_.-]{3,64}", "[A-Za-z0-9_.-]{3,64}"),
        ) {
            let (first, second) = (id(&a.0, &a.1), id(&b.0, &b.1));
            prop_assert_eq!(first.parse::<CounterId>().map(|id| id.to_string()), Ok(first.clone()));
            prop_assert_eq!(a == b, first == second);
        }

        #[test]
        fn every_text_has_a_similar_word(text in "\\PC{0,100}") {
            let word = CountApiWord::lossy(&text);
            prop_assert_eq!(word.to_string().parse(), Ok(word));
        }
    }
}
