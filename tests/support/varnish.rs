//! A Varnish with our configuration: the cache that stands in for Fastly's.

use std::net::SocketAddr;
use std::process::Command;

use super::http::{self, Ask};
use super::port::Port;
use super::process::{self, Process};
use super::wait;

/// The key that purges must carry: FASTLY_API_KEY of an origin.
pub const API_KEY: &str = "the-api-key-of-a-test";

/// A running Varnish, ended when dropped.
pub struct Varnish {
    public: Port,
    control: Port,
    process: Process,
}

impl Varnish {
    /// Starts a Varnish in front of these origins. It takes them for healthy for two seconds, then it asks their /healthz.
    pub async fn start(origins: &[SocketAddr]) -> Varnish {
        process::require("varnishd", "varnish varnish-modules");
        let dir = process::directory();
        let (public, control) = (Port::reserve(), Port::reserve());
        let mut command = Command::new(process::repository("fastly/start"));
        command
            .args(["--public", &public.addr().to_string(), "--control", &control.addr().to_string(), "--dir"])
            .arg(dir.path().join("run"))
            .args(origins.iter().map(SocketAddr::to_string))
            .env_remove("FASTLY_API_KEY_FILE")
            .env("FASTLY_API_KEY", API_KEY)
            .env("CACHE_MEMORY", "32m");
        let mut varnish = Varnish { public, control, process: Process::start("varnish", &mut command, dir) };
        let health = format!("{}/healthz", varnish.api_url());
        let client = http::client();
        varnish
            .process
            .until(async || client.get(&health).send().await.is_ok_and(|a| a.status() == 200))
            .await;
        varnish
    }

    /// Where Pushpin, or a reader, connects.
    pub fn addr(&self) -> SocketAddr {
        self.public.addr()
    }

    /// The public URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public.addr())
    }

    /// The address for the setting `fastly.api_url` of an origin.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.control.addr())
    }

    /// Purges as an origin does; the keys separated by spaces.
    pub async fn purge(&self, keys: &str) {
        let request = http::client().post(format!("{}/service/local/purge", self.api_url()));
        let answer = request.header("Fastly-Key", API_KEY).header("Surrogate-Key", keys).answer().await;
        assert_eq!(answer.status(), 200);
    }

    /// Waits until the cache has found this number of origins healthy by its own checks: at first it takes all for healthy.
    pub async fn until_healthy(&self, origins: usize) {
        let state = self.process.dir().join("run/state");
        let is_so = async || {
            let list = Command::new("varnishadm").arg("-n").arg(&state).args(["backend.list", "-p"]).output();
            let list = String::from_utf8(list.expect("varnishadm to run").stdout).expect("text");
            let lines = || list.lines();
            let enough_good = lines().filter(|line| line.contains("good:  2") || line.contains("good:  3"));
            let last_good = lines().filter(|line| line.ends_with("H Happy"));
            let has_looked =
                lines().filter(|line| line.contains("good probes: ") && !line.ends_with("0.000000"));
            [enough_good.count(), last_good.count(), has_looked.count()].iter().min() >= Some(&origins)
        };
        wait::until("all origins are healthy for the cache", is_so).await;
    }

    /// The process, to be stopped or signalled.
    pub fn process(&self) -> &Process {
        &self.process
    }
}
