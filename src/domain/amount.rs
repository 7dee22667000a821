//! The amount that one request adds to a value.

use std::str::FromStr;

/// Values stay within ±`LIMIT` = 2^53-1, so that JavaScript reads them exactly (`Number.MAX_SAFE_INTEGER`).
pub const LIMIT: i64 = (1 << 53) - 1;

/// A whole number other than 0, within ±[`LIMIT`], written in plain digits with an optional sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Amount(i64);

/// Why a text or a number is no [`Amount`], or a text no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAmountError {
    /// Not an integer in plain digits: empty, a fraction, an exponent, or other characters.
    #[error("must be a whole number in plain digits, like 5 or -3")]
    NotWhole,
    /// Zero changes nothing, so asking for it is a mistake.
    #[error("must not be 0")]
    Zero,
    /// Beyond ±(2^53-1).
    #[error("must be within ±9007199254740991")]
    TooLarge,
}

impl Amount {
    /// The amount of a POST that gives none.
    pub const ONE: Amount = Amount(1);

    /// The amount, or why `number` cannot be one.
    pub fn new(number: i64) -> Result<Self, ParseAmountError> {
        match number {
            0 => Err(ParseAmountError::Zero),
            n if (-LIMIT..=LIMIT).contains(&n) => Ok(Amount(n)),
            _ => Err(ParseAmountError::TooLarge),
        }
    }

    /// The number itself; never 0.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl FromStr for Amount {
    type Err = ParseAmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        whole_number(text).and_then(Amount::new)
    }
}

/// The value of this text: a whole number within ±[`LIMIT`], which may be 0, in plain digits with an optional sign.
pub fn parse_value(text: &str) -> Result<i64, ParseAmountError> {
    let value = whole_number(text)?;
    if (-LIMIT..=LIMIT).contains(&value) { Ok(value) } else { Err(ParseAmountError::TooLarge) }
}

fn whole_number(text: &str) -> Result<i64, ParseAmountError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ParseAmountError::NotWhole);
    }
    text.parse().map_err(|_| ParseAmountError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_whole_numbers_are_amounts() {
        for (text, expected) in [
            ("1", Ok(1)),
            ("-3", Ok(-3)),
            ("+7", Ok(7)),
            ("9007199254740991", Ok(LIMIT)),
            ("0", Err(ParseAmountError::Zero)),
            ("-0", Err(ParseAmountError::Zero)),
            ("1.5", Err(ParseAmountError::NotWhole)),
            ("1e9", Err(ParseAmountError::NotWhole)),
            ("", Err(ParseAmountError::NotWhole)),
            ("-", Err(ParseAmountError::NotWhole)),
            (" 1", Err(ParseAmountError::NotWhole)),
            ("9007199254740992", Err(ParseAmountError::TooLarge)),
            ("-9007199254740992", Err(ParseAmountError::TooLarge)),
            ("99999999999999999999999", Err(ParseAmountError::TooLarge)),
        ] {
            assert_eq!(text.parse::<Amount>().map(Amount::get), expected, "{text:?}");
        }
    }

    #[test]
    fn a_value_may_be_0_and_is_within_the_same_range() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("-9007199254740991", Ok(-LIMIT)),
            ("9007199254740992", Err(ParseAmountError::TooLarge)),
            ("99999999999999999999999", Err(ParseAmountError::TooLarge)),
            ("1.0", Err(ParseAmountError::NotWhole)),
            ("", Err(ParseAmountError::NotWhole)),
        ] {
            assert_eq!(parse_value(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_text(n in -LIMIT..=LIMIT) {
            prop_assume!(n != 0);
            prop_assert_eq!(n.to_string().parse::<Amount>(), Amount::new(n));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            if let Ok(amount) = text.parse::<Amount>() {
                prop_assert!(amount.get() != 0 && amount.get().abs() <= LIMIT);
            }
        }
    }
}
