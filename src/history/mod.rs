//! The past of a number as a series without gaps, as JSON, as CSV and as a picture. No I/O.
//!
//! A store keeps an entry for each hour and each day (in UTC) in which a number was announced: what it stood at last. Between two
//! entries nothing was added, so the gaps can be filled.

mod chart;
mod series;
mod zone;

pub use chart::{Chart, Form, Theme};
pub use series::{Period, Series};
pub use zone::{UnknownZone, Zone};
