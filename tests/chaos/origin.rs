//! An origin as a process of its own, so that it can be killed.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::support::http::{Ask, client, metric};
use crate::support::port::Port;
use crate::support::process::{self, Process};

/// The program on a port that stays the same over its restarts.
pub(crate) struct Origin {
    port: Port,
    environment: Vec<(String, String)>,
    clock: Option<&'static str>,
    process: Option<Process>,
}

impl Origin {
    /// An origin that is not running yet.
    pub(crate) fn new(port: Port, environment: Vec<(String, String)>) -> Self {
        Origin { port, environment, clock: None, process: None }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The URL of a path on this origin itself.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.port.addr())
    }

    /// Sets how wrong the origin's clock is from its next start on, in the notation of `faketime`: `+1h`.
    pub(crate) fn set_clock(&mut self, offset: &'static str) {
        process::require("faketime", "faketime");
        self.clock = Some(offset);
    }

    /// Starts it (again) and waits until it answers.
    pub(crate) async fn run(&mut self) {
        let binary = env!("CARGO_BIN_EXE_livecounter");
        let mut command = match self.clock {
            Some(offset) => {
                let mut command = Command::new("faketime");
                // Only the clock of the date is wrong, not the one that measures durations.
                command.args(["-m", "-f", offset, binary]).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
                command
            }
            None => Command::new(binary),
        };
        command.args(["serve", "--listen", &self.port.addr().to_string()]).env("RUST_LOG", "info");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start("origin", &mut command, process::directory());
        let (client, url) = (client(), self.url("/healthz"));
        process.until(async || client.get(&url).send().await.is_ok_and(|a| a.status() == 200)).await;
        self.process = Some(process);
    }

    /// Kills the origin with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Ends the origin as an operator does: SIGTERM, and time to finish.
    pub(crate) async fn stop(&mut self) {
        let mut process = self.process.take().expect("a running origin");
        let status = process.terminate(Duration::from_secs(25)).await;
        assert_eq!(status.code(), Some(0), "{}", process.log());
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The resident memory of the origin in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        process::resident_kib(self.process.as_ref().expect("a running origin").id())
    }

    /// The status of `/readyz`.
    pub(crate) async fn readiness(&self) -> u16 {
        client().get(self.url("/readyz")).answer().await.status().as_u16()
    }

    /// The log of the origin since its last start.
    pub(crate) fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// The sum of a metric's lines that contain `part`.
    pub(crate) async fn metric(&self, part: &str) -> f64 {
        metric(&self.url(""), part).await.unwrap_or_default()
    }
}
