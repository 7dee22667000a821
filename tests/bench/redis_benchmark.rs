//! redis-benchmark: the speed of Redis itself, without HTTP.

use anyhow::{Context, Result, bail};

use crate::process::{command, locate};
use crate::wrk::{CONNECTIONS, COUNTERS};

/// About what one Redis does in a second: it takes a number of requests, not a time.
const REQUESTS_PER_SECOND: u32 = 80_000;

/// INCR from 64 connections without pipelining, per second.
pub(crate) fn increments(port: u16, spread: bool, seconds: u32) -> Result<f64> {
    let program = locate("redis-benchmark", "redis-tools")?;
    let (counters, key) = if spread { (COUNTERS, "c:__rand_int__") } else { (1, "hot") };
    let output = command(&program)?
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-c", &CONNECTIONS.to_string(), "--csv"])
        .args(["-n", &(REQUESTS_PER_SECOND * seconds).to_string(), "-r", &counters.to_string(), "INCR", key])
        .output()
        .context("cannot start redis-benchmark")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figure =
        text.lines().filter(|line| !line.starts_with("\"test\"")).find_map(|line| line.split(',').nth(1));
    let Some(figure) = figure.and_then(|figure| figure.trim_matches('"').parse().ok()) else {
        bail!("redis-benchmark: {} {}", text.trim(), String::from_utf8_lossy(&output.stderr).trim());
    };
    Ok(figure)
}
