//! Loads by wrk: for some seconds, 64 connections send requests as fast as they are answered, to one counter or to many.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::process::{command, locate};

/// The number of connections that each load keeps open.
pub(crate) const CONNECTIONS: u32 = 64;

/// The number of counters of a load on many counters.
pub(crate) const COUNTERS: u32 = 10_000;

/// The requests of a load.
pub(crate) struct Load<'a> {
    pub(crate) port: u16,
    pub(crate) method: &'a str,
    pub(crate) path: Path<'a>,
    /// Complete header lines.
    pub(crate) fields: &'a [String],
    /// The body of each request; empty for none.
    pub(crate) body: &'a str,
}

/// The path of a request.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    One(&'a str),
    /// Each request has one of [`COUNTERS`] numbers, uniformly at random, between these two texts.
    Many(&'a str, &'a str),
}

/// The result of a load.
pub(crate) struct Outcome {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) requests: u64,
}

/// The script by which wrk prints the figures of its summary in one line.
const DONE: &str = r#"
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("BENCH %d %d %d %f %f\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"#;

impl Load<'_> {
    /// Runs the load. If any request fails, the run fails.
    pub(crate) fn run(&self, seconds: u32) -> Result<Outcome> {
        let program = locate("wrk", "wrk")?;
        let directory = tempfile::tempdir()?;
        let script = directory.path().join("load.lua");
        fs::write(&script, self.script())?;
        let output = command(&program)?
            .args([
                "-t",
                "1",
                "-c",
                &CONNECTIONS.to_string(),
                "-d",
                &format!("{seconds}s"),
                "--latency",
                "-s",
            ])
            .arg(&script)
            .arg(format!("http://127.0.0.1:{}/", self.port))
            .stdin(Stdio::null())
            .output()
            .context("cannot start wrk")?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.lines().find_map(|line| line.strip_prefix("BENCH ")) {
            Some(line) => parse(line),
            None => bail!("wrk: {}", String::from_utf8_lossy(&output.stderr).trim()),
        }
    }

    fn script(&self) -> String {
        let mut script = format!("wrk.method = {:?}\n", self.method);
        for (name, value) in self.fields.iter().filter_map(|field| field.split_once(": ")) {
            script.push_str(&format!("wrk.headers[{name:?}] = {value:?}\n"));
        }
        if !self.body.is_empty() {
            script.push_str(&format!("wrk.body = {:?}\n", self.body));
        }
        match self.path {
            Path::One(path) => script.push_str(&format!("wrk.path = {path:?}\n")),
            Path::Many(before, after) => script.push_str(&format!(
                "local requests = {{}}
init = function()
  math.randomseed(1)
  for i = 1, {COUNTERS} do requests[i] = wrk.format(nil, {before:?} .. i .. {after:?}) end
end
request = function() return requests[math.random({COUNTERS})] end\n"
            )),
        }
        script + DONE
    }
}

fn parse(line: &str) -> Result<Outcome> {
    let figures: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let &[requests, duration_us, errors, p50_us, p99_us] = figures.as_slice() else {
        bail!("wrk: not understood: {line}");
    };
    if errors > 0.0 {
        bail!("{errors} of {requests} requests failed");
    }
    Ok(Outcome {
        per_second: requests * 1e6 / duration_us,
        p50_ms: p50_us / 1e3,
        p99_ms: p99_us / 1e3,
        requests: requests as u64,
    })
}
