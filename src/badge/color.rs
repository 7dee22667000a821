//! The colours of a badge.

use std::fmt;
use std::str::FromStr;

use smol_str::{SmolStr, format_smolstr};

/// The names that shields.io gives to its colours. They come before the names of CSS, which has another green and another red.
const NAMED: [(&str, &str); 16] = [
    ("brightgreen", "#4c1"),
    ("green", "#97ca00"),
    ("yellow", "#dfb317"),
    ("yellowgreen", "#a4a61d"),
    ("orange", "#fe7d37"),
    ("red", "#e05d44"),
    ("blue", "#007ec6"),
    ("grey", "#555"),
    ("gray", "#555"),
    ("lightgrey", "#9f9f9f"),
    ("lightgray", "#9f9f9f"),
    ("success", "#4c1"),
    ("important", "#fe7d37"),
    ("critical", "#e05d44"),
    ("informational", "#007ec6"),
    ("inactive", "#9f9f9f"),
];

/// The longest name of a colour in CSS has 20 letters.
const LONGEST_NAME: usize = 20;

/// An opaque colour, as `#` with 3 or 6 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Color(SmolStr);

/// The text names no colour that a badge can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 3 or 6 hex digits, or the name of a colour in CSS or at shields.io, such as brightgreen")]
pub struct ParseColorError;

impl Color {
    /// The green of a number.
    pub const BRIGHT_GREEN: Color = Color(SmolStr::new_static("#4c1"));
    /// The grey of a label.
    pub const GREY: Color = Color(SmolStr::new_static("#555"));
    /// The red of an error.
    pub const RED: Color = Color(SmolStr::new_static("#e05d44"));

    /// Returns the colour as `#` and hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Color {
    type Err = ParseColorError;

    /// Reads 3 or 6 hex digits, with or without a `#` in front, or a name. A colour that is not opaque is refused: the
    /// background behind it decides whether a text on it can be read, and the service does not know that background.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Color(format_smolstr!("#{}", digits.to_ascii_lowercase())));
        }
        if text.len() > LONGEST_NAME || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(ParseColorError);
        }
        let name = text.to_ascii_lowercase();
        if let Some((_, hex)) = NAMED.iter().find(|(known, _)| *known == name) {
            return Ok(Color(SmolStr::new_static(hex)));
        }
        match name.parse::<csscolorparser::Color>().map(|color| color.to_rgba8()) {
            Ok([red, green, blue, 255]) => Ok(Color(format_smolstr!("#{red:02x}{green:02x}{blue:02x}"))),
            _ => Err(ParseColorError),
        }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_hex_digits_or_a_name() {
        for (text, expected) in [
            ("4c1", "#4c1"),
            ("#4C1", "#4c1"),
            ("E05D44", "#e05d44"),
            ("brightgreen", "#4c1"),
            ("Green", "#97ca00"),
            ("critical", "#e05d44"),
            ("rebeccapurple", "#663399"),
            ("lightgoldenrodyellow", "#fafad2"),
            ("fed", "#fed"),
        ] {
            assert_eq!(text.parse::<Color>().expect(text).as_str(), expected);
        }
    }

    #[test]
    fn anything_else_is_no_colour() {
        let long = "f".repeat(10_000);
        for text in [
            "",
            "#",
            "##fff",
            "#zzzzzz",
            "#ff",
            "#ffff",
            "#ff000080",
            "ff000080",
            "transparent",
            "none",
            "currentcolor",
            "url(#a)",
            "rgb(1,2,3)",
            "hsl(1 2% 3%)",
            "red\" onload=\"alert(1)",
            "red;",
            " red",
            "r\u{0435}d",
            "\0",
            "greenish",
            &long,
        ] {
            assert_eq!(text.parse::<Color>(), Err(ParseColorError), "{text:?}");
        }
    }

    #[test]
    fn the_fixed_colours_are_colours() {
        for color in [Color::BRIGHT_GREEN, Color::GREY, Color::RED] {
            assert_eq!(color.as_str().parse(), Ok(color.clone()));
        }
        assert!(NAMED.iter().all(|(name, hex)| name.parse::<Color>().expect(name).as_str() == *hex));
    }
}
