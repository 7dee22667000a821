//! The HTTP interface, request by request, against the real service on a port of its own.

#[path = "../support/mod.rs"]
mod support;

mod accept;
mod announcements;
mod backlog;
mod bad_input;
mod counters;
mod crowd;
mod grip;
mod layers;
mod operations;
mod program;
mod purging;
mod settings;
mod store_away;
mod streams;
mod witness;
