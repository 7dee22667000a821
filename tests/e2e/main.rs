//! The service behind the real Pushpin, the real cache and Redis.

#[path = "../support/mod.rs"]
mod support;

mod counters;
