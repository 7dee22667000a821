//! The forms in which a badge shows a number.

/// How a number is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberFormat {
    /// `1234567`
    #[default]
    Plain,
    /// `1,234,567`
    Commas,
    /// `1.2M`
    Short,
}

/// The letters of [`NumberFormat::Short`], the greatest first.
const LETTERS: [(u64, char); 5] = [
    (1_000_000_000_000_000, 'P'),
    (1_000_000_000_000, 'T'),
    (1_000_000_000, 'G'),
    (1_000_000, 'M'),
    (1_000, 'k'),
];

impl NumberFormat {
    /// Writes the number. The short form leaves out digits and never rounds up: 1999 is `1.9k`, and a badge never shows a
    /// million before it is reached.
    pub fn write(self, number: i64) -> String {
        let sign = if number < 0 { "-" } else { "" };
        let size = number.unsigned_abs();
        match self {
            NumberFormat::Plain => number.to_string(),
            NumberFormat::Commas => format!("{sign}{}", with_commas(size)),
            NumberFormat::Short => format!("{sign}{}", short(size)),
        }
    }
}

fn with_commas(size: u64) -> String {
    let digits = size.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes two or three digits at most, and a letter.
fn short(size: u64) -> String {
    let Some((unit, letter)) = LETTERS.into_iter().find(|(unit, _)| size >= *unit) else {
        return size.to_string();
    };
    let (whole, tenth) = (size / unit, size % unit / (unit / 10));
    if whole < 100 && tenth > 0 { format!("{whole}.{tenth}{letter}") } else { format!("{whole}{letter}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_number_has_these_digits() {
        for (number, commas, short) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (-999, "-999", "-999"),
            (1000, "1,000", "1k"),
            (1234, "1,234", "1.2k"),
            (-1234, "-1,234", "-1.2k"),
            (1999, "1,999", "1.9k"),
            (12_345, "12,345", "12.3k"),
            (99_999, "99,999", "99.9k"),
            (100_999, "100,999", "100k"),
            (999_999, "999,999", "999k"),
            (1_000_000, "1,000,000", "1M"),
            (1_050_000, "1,050,000", "1M"),
            (2_500_000_000, "2,500,000,000", "2.5G"),
            (7_100_000_000_000, "7,100,000,000,000", "7.1T"),
            (9_007_199_254_740_991, "9,007,199,254,740,991", "9P"),
            (-18_014_398_509_481_982, "-18,014,398,509,481,982", "-18P"),
        ] {
            assert_eq!(NumberFormat::Plain.write(number), number.to_string());
            assert_eq!(NumberFormat::Commas.write(number), commas);
            assert_eq!(NumberFormat::Short.write(number), short);
        }
        for format in [NumberFormat::Plain, NumberFormat::Commas, NumberFormat::Short] {
            assert!(format.write(i64::MIN).starts_with("-9"));
        }
    }
}
