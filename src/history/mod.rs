//! Makes a series without gaps from the history of a number, and writes the series as JSON, as CSV and as a picture. This module does no
//! I/O.
//! The store keeps an entry for each hour and each day (in UTC) in which a value was announced: the value announced last.
//! Between two entries nothing was added, so this module can fill the gaps.

mod chart;
mod drawing;
mod named_chart;
mod series;
mod subject;
mod zone;

pub use chart::Chart;
pub use drawing::{Form, Theme};
pub use named_chart::NamedChart;
pub use series::{Period, Series};
pub use subject::Subject;
pub use zone::{UnknownZone, Zone};
