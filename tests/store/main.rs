//! The store's contract, on every store, against real servers.

mod contract;
mod redis;
mod sqlite;
#[path = "../support/mod.rs"]
mod support;
