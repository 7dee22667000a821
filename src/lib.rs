//! livecounter: shared counters with live updates over HTTP.
//!
//! The map; imports only go down (`tests/api/layers.rs` holds the table):
//!
//! - [`app`]: the only module that knows every part; builds and runs the service.
//! - [`http`]: one file per resource, extractors, one error table, the routes.
//! - [`access`]: keys, tickets and scopes: which requests are allowed. No HTTP, no store.
//! - [`limits`]: how much one client may use, and which client has sent a request.
//! - [`live`]: the use cases: read, add, set, delete. No HTTP, no Redis.
//! - [`announcer`]: claim, purge, publish, acknowledge; the gate, the lease, the sweep.
//! - [`store`]: the interface of the stores, and both stores: Redis, and one SQLite file.
//! - [`jwt`]: keys that sign and verify tokens.
//! - [`grip`]: the GRIP protocol; does not know counters.
//! - [`fastly`]: the purger; does not know counters.
//! - [`hub`]: in-process listeners, for the embedded mode.
//! - [`sse`]: the only encoder of Server-Sent Events.
//! - [`log`]: when a line of the log is due, and what caused an error.
//! - [`history`]: the past of a number as a series without gaps, and as a picture. No HTTP, no store.
//! - [`badge`]: a number as a badge. No HTTP, no store.
//! - [`compat`]: other services whose routes are answered, and on which hosts. No HTTP.
//! - [`hits`]: which pages may be counted, and which programs are no visitors. No HTTP.
//! - [`import`]: counters from lines of text. No store.
//! - [`sql`]: one statement in SQL that can read entities and nothing else. No HTTP, no store.
//! - [`exec`]: the command language: its syntax tree and its parser. No HTTP, no store.
//! - [`verify`]: checks a running service from outside. No part of the service.
//! - [`nearest`]: which known name a mistyped name was meant to be.
//! - [`domain`]: ids, amounts, topics, revisions.
//! - [`settings`] and [`telemetry`]: for the binary and [`app`].

pub mod access;
pub mod announcer;
pub mod app;
pub mod badge;
pub mod compat;
pub mod domain;
pub mod exec;
pub mod fastly;
pub mod grip;
pub mod history;
pub mod hits;
pub mod http;
pub mod hub;
pub mod import;
pub mod jwt;
pub mod limits;
pub mod live;
pub mod log;
pub mod nearest;
pub mod settings;
pub mod sql;
pub mod sse;
pub mod store;
pub mod telemetry;
pub mod verify;

#[cfg(test)]
mod test_server;
