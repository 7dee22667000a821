//! Reads from a query how a badge should look.

use super::error::ApiError;
use super::query::Query;
use crate::badge::{Badge, BadgeText, Color, NumberFormat, Style};
use crate::domain::LIMIT;

/// What a badge says in the place of a number that is not known.
const UNKNOWN: &str = "unknown";

/// How a badge should look, and which number it adds to the one that it shows.
pub(super) struct BadgeLook {
    style: Style,
    label: BadgeText,
    color: Color,
    label_color: Color,
    format: NumberFormat,
    base: i64,
}

impl BadgeLook {
    /// The parameters that this type reads.
    pub(super) const PARAMETERS: [&str; 6] = ["style", "label", "color", "labelColor", "format", "base"];

    /// Reads the parameters; 400 if one of them has no meaning. Without any of them the badge looks like that of the hit counter
    /// which made such badges known: `hits`, and the number on green.
    pub(super) fn of(query: &Query) -> Result<BadgeLook, ApiError> {
        BadgeLook::with_label(query, "hits")
    }

    /// The same with this label, unless the query gives one.
    pub(super) fn with_label(query: &Query, usual: &str) -> Result<BadgeLook, ApiError> {
        let formats = [
            ("plain", NumberFormat::Plain),
            ("commas", NumberFormat::Commas),
            ("short", NumberFormat::Short),
        ];
        Ok(BadgeLook {
            style: query.one_of("style", &Style::NAMED)?,
            label: query.get("label").unwrap_or(usual).parse().map_err(|error| refused("label", error))?,
            color: color(query, "color", Color::BRIGHT_GREEN)?,
            label_color: color(query, "labelColor", Color::GREY)?,
            format: query.one_of("format", &formats)?,
            base: query.number("base", -LIMIT..=LIMIT)?.unwrap_or(0),
        })
    }

    /// The badge that shows this number; `None` stands for a number that is not known.
    pub(super) fn badge(self, number: Option<i64>) -> Badge {
        let message = match number {
            // Both numbers are within the limit, so their sum is far from the ends of an i64.
            Some(number) => self.format.write(number.saturating_add(self.base)),
            None => UNKNOWN.to_owned(),
        };
        Badge {
            style: self.style,
            label: self.label,
            message: BadgeText::lossy(&message),
            color: self.color,
            label_color: self.label_color,
        }
    }
}

fn color(query: &Query, name: &str, usual: Color) -> Result<Color, ApiError> {
    query.get(name).map_or(Ok(usual), |text| text.parse().map_err(|error| refused(name, error)))
}

fn refused(name: &str, error: impl std::fmt::Display) -> ApiError {
    ApiError::BadRequest(format!("{name} {error}"))
}
