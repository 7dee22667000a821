//! What it takes to draw a badge, without a request and without a store.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use livecounter::badge::{Badge, BadgeText, Color, NumberFormat, Style};

use crate::cells::Figures;

/// The number of badges of each style.
const BADGES: i64 = 20_000;

/// The time for a badge from its number to its bytes: the mean over all styles.
pub(crate) fn drawing() -> Result<Figures> {
    let label: BadgeText = "visits of this page".parse()?;
    let mut bytes = 0;
    let began = Instant::now();
    for (_, style) in Style::NAMED {
        for number in 0..BADGES {
            let message = NumberFormat::Commas.write(black_box(1_234_567 + number));
            let badge = Badge {
                style,
                label: label.clone(),
                message: BadgeText::lossy(&message),
                color: Color::BRIGHT_GREEN,
                label_color: Color::GREY,
            };
            bytes += black_box(badge.svg()).len();
        }
    }
    let badges = BADGES as f64 * Style::NAMED.len() as f64;
    let each = began.elapsed().as_secs_f64() * 1e6 / badges;
    Ok(Figures::from([("draw us", each), ("bytes", bytes as f64 / badges)]))
}
