//! The texts of a badge.

use std::fmt;
use std::str::FromStr;

/// The most characters of a text.
const LONGEST: usize = 100;

/// A text that a badge may show: at most 100 characters, all of which XML allows, and none of which changes the direction of
/// the text or breaks the line. The text may contain markup; a function that writes the text into a picture must escape it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadgeText(String);

/// Why a text cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseBadgeTextError {
    /// The text has too many characters.
    #[error("must have at most {LONGEST} characters")]
    TooLong,
    /// The text has a character that a badge cannot show; the number says where, counted from 1.
    #[error("must not have control characters, and its character {0} is one")]
    Unshown(usize),
    /// The text is no UTF-8.
    #[error("must be UTF-8")]
    NotUtf8,
}

impl BadgeText {
    /// Makes a text that can be shown out of any text: it replaces what cannot be shown, and cuts off what is too long.
    pub fn lossy(text: &str) -> Self {
        let mut shown: String =
            text.chars().take(LONGEST).map(|c| if is_shown(c) { c } else { '\u{fffd}' }).collect();
        if text.chars().nth(LONGEST).is_some() {
            shown.pop();
            shown.push('…');
        }
        BadgeText(shown)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BadgeText {
    type Err = ParseBadgeTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The test for the number of bytes comes first, as it is the only one that takes no time for a long text.
        if text.len() > 4 * LONGEST || text.chars().count() > LONGEST {
            return Err(ParseBadgeTextError::TooLong);
        }
        // The parser of a query puts this character where bytes are no UTF-8.
        if text.contains('\u{fffd}') {
            return Err(ParseBadgeTextError::NotUtf8);
        }
        match text.chars().position(|c| !is_shown(c)) {
            Some(index) => Err(ParseBadgeTextError::Unshown(index + 1)),
            None => Ok(BadgeText(text.to_owned())),
        }
    }
}

impl fmt::Display for BadgeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a badge can show the character. XML forbids most control characters and the non-characters U+FFFE and U+FFFF. The
/// directional overrides, embeddings and isolates could make a number look like another one; the marks belong to them. The
/// joiners stay, as emoji and some scripts need them.
fn is_shown(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0001}')
        && u32::from(c) & 0xfffe != 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_shown() {
        for text in [
            "",
            "hits",
            "<script>alert(1)</script> -->",
            "]]>&amp;\"'",
            "Zugriffe: größer",
            "訪問",
            "צפיות",
            "👩‍👩‍👧‍👦 ❤️",
        ] {
            assert_eq!(text.parse::<BadgeText>().expect(text).as_str(), text);
            assert_eq!(BadgeText::lossy(text).as_str(), text);
        }
        assert!("é".repeat(100).parse::<BadgeText>().is_ok());
    }

    #[test]
    fn what_cannot_be_shown_is_refused_or_replaced() {
        use ParseBadgeTextError::{NotUtf8, TooLong, Unshown};
        let (long, longer) = ("é".repeat(101), "a".repeat(10_000));
        for (text, expected) in [
            ("a\0", Unshown(2)),
            ("\n", Unshown(1)),
            ("hi\ttab", Unshown(3)),
            ("\u{7f}", Unshown(1)),
            ("\u{85}", Unshown(1)),
            ("1\u{202e}32", Unshown(2)),
            ("\u{2066}", Unshown(1)),
            ("\u{ffff}", Unshown(1)),
            ("\u{1fffe}", Unshown(1)),
            ("a\u{fffd}", NotUtf8),
            (&long, TooLong),
            (&longer, TooLong),
        ] {
            assert_eq!(text.parse::<BadgeText>(), Err(expected), "{text:?}");
            let shown = BadgeText::lossy(text);
            assert!(shown.as_str().chars().all(is_shown) && shown.as_str().chars().count() <= LONGEST);
        }
        assert_eq!(BadgeText::lossy("a\0b").as_str(), "a\u{fffd}b");
        assert!(BadgeText::lossy(&long).as_str().ends_with("é…"));
    }
}
