//! Draws a number as a badge: a small SVG picture with a label, as README files show them, or the JSON of such a badge, which
//! shields.io draws. This module does no I/O.
//!
//! Only `drawing` uses the crate `shields`. It gives that crate no text and no colour that is not checked here.

mod color;
mod drawing;
mod number;
mod text;

pub use color::{Color, ParseColorError};
pub use drawing::{Badge, Style};
pub use number::NumberFormat;
pub use text::{BadgeText, ParseBadgeTextError};
