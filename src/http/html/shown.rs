//! Numbers, addresses and sentences, as pages show them.

use std::borrow::Cow;

/// An address with more characters than this is shortened.
const LONGEST_ADDRESS: usize = 60;
/// How many characters of the end of a shortened address are shown.
const SHOWN_END: usize = 18;

/// A number of the page; `None` if it is not known, as the store did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct ShownNumber(pub(in crate::http) Option<i64>);

impl ShownNumber {
    /// The number in plain digits, for the page's script; nothing for a number that is not known.
    pub(in crate::http) fn recorded(&self) -> String {
        self.0.map(|value| value.to_string()).unwrap_or_default()
    }

    /// The number with thin spaces between groups of three digits and with a true minus sign, as the page's script writes it; a dash
    /// for a number that is not known.
    pub(in crate::http) fn text(&self) -> String {
        let Some(value) = self.0 else { return "\u{2013}".to_owned() };
        let digits = value.unsigned_abs().to_string();
        let mut text = String::from(if value < 0 { "\u{2212}" } else { "" });
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push('\u{202f}');
            }
            text.push(digit);
        }
        text
    }

    /// How many characters the text has.
    pub(in crate::http) fn length(&self) -> usize {
        self.text().chars().count()
    }
}

/// The address, or its beginning and its end if it is long. Addresses consist of ASCII characters.
pub(in crate::http) fn shortened(address: &str) -> Cow<'_, str> {
    if address.len() <= LONGEST_ADDRESS || !address.is_ascii() {
        return Cow::Borrowed(address);
    }
    let (begin, _) = address.split_at(LONGEST_ADDRESS - SHOWN_END - 1);
    let (_, end) = address.split_at(address.len() - SHOWN_END);
    Cow::Owned([begin, "\u{2026}", end].concat())
}

/// The text as a sentence: with a capital letter, and a full stop unless it is a question.
pub(in crate::http) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let end = if text.ends_with('?') { "" } else { "." };
    first.chain(letters).chain(end.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_groups_of_three_digits() {
        for (value, expected) in [
            (Some(0), "0"),
            (Some(999), "999"),
            (Some(-1000), "\u{2212}1\u{202f}000"),
            (Some(1_234_567), "1\u{202f}234\u{202f}567"),
            (
                Some(-9_007_199_254_740_991),
                "\u{2212}9\u{202f}007\u{202f}199\u{202f}254\u{202f}740\u{202f}991",
            ),
            (None, "\u{2013}"),
        ] {
            assert_eq!(ShownNumber(value).text(), expected);
            assert_eq!(ShownNumber(value).length(), expected.chars().count());
        }
    }

    #[test]
    fn a_long_address_is_shortened_in_its_middle() {
        assert_eq!(shortened("example.com/a"), "example.com/a");
        let long = format!("example.com/{}/the-end-of-it", "a".repeat(2000));
        let short = shortened(&long);
        assert_eq!(short.chars().count(), LONGEST_ADDRESS);
        assert!(
            short.starts_with("example.com/aaa") && short.ends_with("\u{2026}aaaa/the-end-of-it"),
            "{short}"
        );
    }
}
