//! The service: settings, telemetry, run.
fn main() {}
