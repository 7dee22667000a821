//! The HTTP interface, request by request, against the real service on a port of its own.

#[path = "../support/mod.rs"]
mod support;

mod accept;
mod access;
mod access_commands;
mod announcements;
mod assets;
mod backlog;
mod bad_amounts;
mod bad_input;
mod badges;
mod combining;
mod compose;
mod connections;
mod cors;
mod counter_lists;
mod counters;
mod crowd;
mod documents;
mod ending;
mod export;
mod flood;
mod grip;
mod history;
mod hits;
mod https;
mod layers;
mod limits;
mod logs;
mod managing;
mod many_connections;
mod needed_key;
mod operations;
mod program;
mod prune;
mod purging;
mod raw_bytes;
mod settings;
mod source;
mod store_away;
mod stream_limits;
mod streams;
mod topic_limits;
mod witness;
