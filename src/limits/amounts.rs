//! The range of amounts that a request may add.

use std::fmt;
use std::str::FromStr;

use crate::domain::{Amount, LIMIT};

/// A range of amounts; its least and its greatest amount belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    least: i64,
    greatest: i64,
}

/// The error for a text that is no range of amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be LEAST..GREATEST, such as -1000..1000, with another number than 0, within ±9007199254740991")]
pub struct ParseAmountsError;

impl Amounts {
    /// The least amount.
    pub fn least(&self) -> i64 {
        self.least
    }

    /// The greatest amount.
    pub fn greatest(&self) -> i64 {
        self.greatest
    }

    /// Whether the amount is within the range.
    pub fn contain(&self, amount: Amount) -> bool {
        (self.least..=self.greatest).contains(&amount.get())
    }
}

impl Default for Amounts {
    fn default() -> Self {
        Amounts { least: -1000, greatest: 1000 }
    }
}

impl FromStr for Amounts {
    type Err = ParseAmountsError;

    fn from_str(text: &str) -> Result<Self, ParseAmountsError> {
        let (least, greatest) = text.split_once("..").ok_or(ParseAmountsError)?;
        let (least, greatest) = (bound(least)?, bound(greatest)?);
        if least > greatest || (least, greatest) == (0, 0) {
            return Err(ParseAmountsError);
        }
        Ok(Amounts { least, greatest })
    }
}

/// Parses one end of a range: a whole number in plain digits, which may be 0 although no amount may.
fn bound(text: &str) -> Result<i64, ParseAmountsError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| plain && (-LIMIT..=LIMIT).contains(number));
    number.ok_or(ParseAmountsError)
}

impl fmt::Display for Amounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.greatest {
            return write!(f, "{}", self.least);
        }
        write!(f, "from {} to {}", self.least, self.greatest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(number: i64) -> Amount {
        Amount::new(number).expect("an amount")
    }

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        let amounts: Amounts = "-3..10".parse().expect("a range");
        for (number, contained) in [(-4, false), (-3, true), (1, true), (10, true), (11, false)] {
            assert_eq!(amounts.contain(amount(number)), contained, "{number}");
        }
        let one: Amounts = "1..1".parse().expect("a range");
        assert!(one.contain(Amount::ONE) && !one.contain(amount(2)) && !one.contain(amount(-1)));
        let all: Amounts = format!("-{LIMIT}..{LIMIT}").parse().expect("a range");
        assert!(all.contain(amount(LIMIT)) && all.contain(amount(-LIMIT)));
        assert_eq!("0..+5".parse::<Amounts>().expect("a range").to_string(), "from 0 to 5");
        assert_eq!(one.to_string(), "1");
    }

    #[test]
    fn a_text_that_is_no_range_is_refused() {
        for text in [
            "",
            "..",
            "1",
            "1..",
            "..1",
            "1.5..2",
            "1e3..2",
            "2..1",
            "0..0",
            "1...2",
            "1..2..3",
            "1..=2",
            " 1..2",
            "1 .. 2",
            "--1..2",
            "-..2",
            "-9007199254740992..1",
            "1..9007199254740992",
            "1..99999999999999999999",
        ] {
            assert_eq!(text.parse::<Amounts>(), Err(ParseAmountsError), "{text:?}");
        }
    }
}
