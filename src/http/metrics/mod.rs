//! `/metrics`: what operators watch, in the OpenMetrics text format. Labels are route templates, never paths, so that the
//! number of time series is bounded.

mod delivery;
mod limits;
mod now;
mod occupancy;
mod process;
mod recent;
mod registry;
mod requests;

pub(super) use now::Now;
pub use occupancy::Occupancy;
pub(super) use recent::SeenRequest;
pub use registry::Metrics;
pub use requests::RequestMetrics;
pub(super) use requests::{CountedRequests, MethodLabel, RequestLabels, RouteMetrics};
