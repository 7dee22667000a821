//! A badge as a picture and as JSON. The same badge always gives the same bytes.

use serde::Serialize;
use shields::{BadgeParams, BadgeStyle, render_badge_svg};

use super::color::Color;
use super::text::BadgeText;

/// The styles of a badge, as shields.io names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Two rectangles.
    #[default]
    FlatSquare,
    /// Round corners, and a little shade.
    Flat,
    /// Round corners, and more shade.
    Plastic,
    /// Large, in capitals.
    ForTheBadge,
    /// A light button with a bubble beside it. This style has colours of its own.
    Social,
}

impl Style {
    /// All styles with their names; the usual one is the first.
    pub const NAMED: [(&str, Style); 5] = [
        ("flat-square", Style::FlatSquare),
        ("flat", Style::Flat),
        ("plastic", Style::Plastic),
        ("for-the-badge", Style::ForTheBadge),
        ("social", Style::Social),
    ];

    /// Returns the name of the style.
    pub fn name(self) -> &'static str {
        self.drawn().as_str()
    }

    fn drawn(self) -> BadgeStyle {
        match self {
            Style::FlatSquare => BadgeStyle::FlatSquare,
            Style::Flat => BadgeStyle::Flat,
            Style::Plastic => BadgeStyle::Plastic,
            Style::ForTheBadge => BadgeStyle::ForTheBadge,
            Style::Social => BadgeStyle::Social,
        }
    }
}

/// A badge: a label on the left and a message on the right.
#[derive(Clone, Debug)]
pub struct Badge {
    /// The form of the picture.
    pub style: Style,
    /// The text on the left; a badge with an empty label has only the right side.
    pub label: BadgeText,
    /// The text on the right.
    pub message: BadgeText,
    /// The background of the message.
    pub color: Color,
    /// The background of the label.
    pub label_color: Color,
}

/// What shields.io reads at the address of an "endpoint badge". It refuses keys that it does not know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndpointBadge<'a> {
    schema_version: u8,
    label: &'a str,
    message: &'a str,
    color: &'a str,
    label_color: &'a str,
    style: &'a str,
}

impl Badge {
    /// Returns the badge as an SVG picture. Its title and its `aria-label` say the label and the message; it has no script and
    /// no link.
    pub fn svg(&self) -> String {
        render_badge_svg(&BadgeParams {
            style: self.style.drawn(),
            label_color: Some(self.label_color.as_str()),
            message_color: Some(self.color.as_str()),
            ..BadgeParams::new(self.label.as_str(), self.message.as_str())
        })
    }

    /// Returns the badge as JSON by the schema of shields.io's endpoint badge.
    pub fn json(&self) -> String {
        let badge = EndpointBadge {
            schema_version: 1,
            label: self.label.as_str(),
            message: self.message.as_str(),
            color: self.color.as_str(),
            label_color: self.label_color.as_str(),
            style: self.style.name(),
        };
        // Writing texts and a number as JSON cannot fail.
        serde_json::to_string(&badge).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use roxmltree::{Document, Node};

    use super::*;

    fn badge(style: Style, label: &str, message: &str) -> Badge {
        Badge {
            style,
            label: label.parse().expect("a label"),
            message: message.parse().expect("a message"),
            color: Color::BRIGHT_GREEN,
            label_color: Color::GREY,
        }
    }

    fn width(svg: &str) -> f64 {
        let picture = Document::parse(svg).expect("well-formed XML");
        picture.root_element().attribute("width").and_then(|width| width.parse().ok()).expect("a width")
    }

    #[test]
    fn each_style_has_these_bytes() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/badges");
        for (name, style) in Style::NAMED {
            assert_eq!(style.name(), name);
            let expected = std::fs::read_to_string(fixtures.join(format!("{name}.svg"))).expect(name);
            assert_eq!(badge(style, "hits", "1234").svg(), expected.trim_end(), "{name}");
        }
    }

    #[test]
    fn the_json_has_the_keys_that_shields_io_knows() {
        assert_eq!(
            badge(Style::Flat, "a \"b\" <c>", "1.2k").json(),
            "{\"schemaVersion\":1,\"label\":\"a \\\"b\\\" <c>\",\"message\":\"1.2k\",\"color\":\"#4c1\",\
             \"labelColor\":\"#555\",\"style\":\"flat\"}"
        );
    }

    #[test]
    fn a_badge_grows_with_its_texts() {
        for (name, style) in Style::NAMED {
            let widths: Vec<f64> = ["1", "1234", "1234567", "9007199254740991"]
                .into_iter()
                .map(|message| width(&badge(style, "hits", message).svg()))
                .collect();
            assert!(widths.is_sorted_by(|a, b| a < b), "{name}: {widths:?}");
            let with_label = width(&badge(style, "hits of this page", "1").svg());
            assert!(with_label > widths[0] && widths[0] > width(&badge(style, "", "1").svg()), "{name}");
        }
    }

    #[test]
    fn texts_on_a_light_colour_are_dark() {
        let svg = Badge { color: "fff".parse().expect("white"), ..badge(Style::Flat, "a", "1") }.svg();
        assert!(svg.contains("fill=\"#333\">1</text>"), "{svg}");
    }

    /// What may be in a picture: shapes, texts and the few parts that give them their form.
    const ELEMENTS: [&str; 12] = [
        "svg",
        "title",
        "g",
        "rect",
        "path",
        "text",
        "filter",
        "feGaussianBlur",
        "linearGradient",
        "stop",
        "clipPath",
        "style",
    ];

    fn assert_harmless(picture: &Document<'_>) {
        for node in picture.descendants().filter(Node::is_element) {
            let name = node.tag_name().name();
            assert!(ELEMENTS.contains(&name), "{name}");
            for attribute in node.attributes() {
                let name = attribute.name();
                assert!(!name.starts_with("on") && !name.contains("href"), "{name}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_label_gives_a_harmless_picture_that_says_it(
            text in any::<String>(),
            markup in "[<>&\"' a-z!/=;-]{0,60}",
            style in 0..Style::NAMED.len(),
        ) {
            let (_, style) = Style::NAMED[style];
            for text in [text, markup] {
                let label = BadgeText::lossy(&text);
                let badge = Badge { label, ..badge(style, "", "26") };
                let svg = badge.svg();
                let picture = Document::parse(&svg).expect("well-formed XML");
                assert_harmless(&picture);
                prop_assert!(!svg.contains("<script") && !svg.contains("-->"));
                let root = picture.root_element();
                prop_assert_eq!(root.attribute("role"), Some("img"));
                let title = root.first_element_child().and_then(|title| title.text()).unwrap_or_default();
                // XML reads each kind of white space in an attribute as a space.
                prop_assert_eq!(root.attribute("aria-label"), Some(title));
                if matches!(style, Style::Flat | Style::FlatSquare | Style::Plastic) && !badge.label.as_str().is_empty() {
                    prop_assert_eq!(title, format!("{}: 26", badge.label));
                }
            }
        }

        #[test]
        fn any_text_is_a_colour_that_is_shown_or_none(text in "#?[0-9a-zA-Z\"<&;()]{0,9}") {
            if let Ok(color) = text.parse::<Color>() {
                let svg = Badge { color: color.clone(), ..badge(Style::Flat, "a", "1") }.svg();
                let shown = format!("fill=\"{color}\"");
                prop_assert!(svg.contains(&shown), "{}", svg);
            }
        }
    }
}
