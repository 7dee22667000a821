//! The front with our configuration: Debian's HAProxy, before Pushpin and the cache.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::port::Port;
use super::process::{self, Process};

/// The options that a test may set.
#[derive(Default)]
pub struct Options<'a> {
    /// A file with certificate and key: with it the front speaks TLS.
    pub certificate: Option<&'a Path>,
    /// Whether the front listens on all addresses of both families, not on 127.0.0.1 alone.
    pub everywhere: bool,
    /// The limits of one client, e.g. `("FRONT_OPEN", "3")`.
    pub environment: &'a [(&'a str, &'a str)],
}

/// A running front, ended when dropped.
pub struct Front {
    port: Port,
    _process: Process,
}

impl Front {
    /// Starts a front without a certificate, and with limits that no test meets by itself.
    pub async fn start(pushpin: SocketAddr, cache: SocketAddr) -> Front {
        let environment = &[("FRONT_REQUESTS", "10000000")];
        Front::with(pushpin, cache, Options { environment, ..Options::default() }).await
    }

    /// Starts a front with these options.
    pub async fn with(pushpin: SocketAddr, cache: SocketAddr, options: Options<'_>) -> Front {
        process::require("haproxy", "haproxy");
        let (port, dir) = (Port::reserve(), process::directory());
        let mut command = Command::new(process::repository("pushpin/front"));
        let listen =
            if options.everywhere { format!("[::]:{}", port.number()) } else { port.addr().to_string() };
        command.args(["--listen", &listen]);
        command.args(["--pushpin", &pushpin.to_string(), "--cache", &cache.to_string()]);
        if let Some(certificate) = options.certificate {
            command.arg("--certificate").arg(certificate);
        }
        for name in ["FRONT_CONNECTIONS", "FRONT_OPEN", "FRONT_REQUESTS"] {
            command.env_remove(name);
        }
        command.envs(options.environment.iter().copied());
        let mut process = Process::start("haproxy", &mut command, dir);
        let address = port.addr();
        process.until(async || tokio::net::TcpStream::connect(address).await.is_ok()).await;
        Front { port, _process: process }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The public URL of a path, without TLS.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }
}
