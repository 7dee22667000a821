//! The traffic of the service itself, as the pages for administrators show it: requests are counted by the metrics anyway, and once a second
//! this module reads what has been added. Where `admin.tally` is on, the sums go into entities and a feed of the service's own.

mod minute;
mod past;
mod per_second;
mod tally;
mod times;
mod writer;

pub(super) use past::{Past, Period};
pub use per_second::Traffic;
pub(super) use tally::{DAILY, ENDPOINTS, HOURLY, REQUESTS, STATUS};
pub(super) use times::clock;
pub use writer::{keep_tally, write_tally};
