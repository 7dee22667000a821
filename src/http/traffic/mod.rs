//! The traffic of the service itself, as the pages for administrators show it: requests are counted by the metrics anyway, and once a second
//! this module reads what has been added.

mod minute;
mod per_second;
mod times;

pub use per_second::Traffic;
pub(super) use times::clock;
