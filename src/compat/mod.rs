//! Other counter services whose routes are answered here, and the host names on which they are. Knows no HTTP.

mod host_names;
mod service;

pub use host_names::{HostNames, ParseHostNamesError};
pub use service::{CompatHosts, Service};
