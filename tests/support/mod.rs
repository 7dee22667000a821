//! Starts the real servers for tests, each in a directory and on ports of its own, and ends them with the test.
//!
//! A server that is not installed fails the test with the line that installs it: a skipped test proves nothing.
//! No function sleeps for a fixed time: readiness is polled, events are awaited with a deadline.

// Each test crate includes this module and uses its own part of it.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod app;
pub mod certificates;
pub mod chain;
pub mod deployment;
pub mod edge;
pub mod foreign;
pub mod front;
pub mod http;
pub mod keys;
pub mod port;
pub mod process;
pub mod pushpin;
pub mod raw;
pub mod redis;
pub mod redis_cluster;
pub mod redis_sentinels;
pub mod server;
pub mod site_proxy;
pub mod sse;
pub mod stream_checks;
pub mod varnish;
pub mod verify;
pub mod wait;
