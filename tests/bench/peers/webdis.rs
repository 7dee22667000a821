//! webdis with one thread: Redis commands over HTTP.

use std::fs;

use anyhow::Result;
use serde_json::json;

use super::Peer;
use crate::http::{Client, request};
use crate::process::{Server, free_port, locate};

/// The connections to Redis for each thread in the configuration that webdis's own documentation shows.
pub(crate) const POOL: u32 = 20;

/// Starts webdis in front of a Redis server, with this many connections to it; without a number, with as many as webdis opens by itself.
pub(crate) fn start(redis: &Peer, pool: Option<u32>) -> Result<Peer> {
    let program = locate("webdis", "webdis")?;
    let port = free_port()?;
    let directory = tempfile::tempdir()?;
    let configuration = directory.path().join("webdis.json");
    let mut settings = json!({
        "redis_host": "127.0.0.1", "redis_port": redis.port(), "redis_auth": null,
        "http_host": "127.0.0.1", "http_port": port, "threads": 1,
        "daemonize": false, "database": 0, "acl": [], "verbosity": 0, "logfile": directory.path().join("webdis.out"),
    });
    if let Some(connections) = pool {
        settings["pool_size"] = connections.into();
    }
    fs::write(&configuration, settings.to_string())?;
    let server = Server::start("webdis", &program, [&configuration], &[], directory.path())?;
    let mut client = Client::new(port);
    let server = server.ready(|| client.demand(&request("GET", "/PING", &[], "")).is_ok())?;
    Ok(Peer { server, port, _directory: directory })
}
