//! Varnish, nginx and Caddy with the settings that they come with, as users put them in front of the service.

use std::net::SocketAddr;
use std::process::Command;

use super::http::client;
use super::port::Port;
use super::process::{self, Process};

/// A running program in front of the service, ended when dropped.
pub struct Foreign {
    port: Port,
    _process: Process,
}

impl Foreign {
    /// A Varnish with the rules that it comes with.
    pub async fn varnish(backend: SocketAddr) -> Foreign {
        process::require("varnishd", "varnish varnish-modules");
        let (port, dir) = (Port::reserve(), process::directory());
        let mut command = Command::new("varnishd");
        command
            .args(["-F", "-j", "none", "-T", "none", "-s", "malloc,16m"])
            .args(["-a", &port.addr().to_string(), "-b", &backend.to_string(), "-n"])
            .arg(dir.path().join("state"));
        Foreign::until_it_answers(port, Process::start("varnishd", &mut command, dir)).await
    }

    /// An nginx with nothing but `proxy_pass`, and these directives beside it.
    pub async fn nginx(backend: SocketAddr, directives: &str) -> Foreign {
        process::require("nginx", "nginx");
        let (port, dir) = (Port::reserve(), process::directory());
        let listen = port.addr();
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};\n"));
        let configuration = format!(
            "daemon off;\npid pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{}{directives}\n\
             server {{ listen {listen}; location / {{ proxy_pass http://{backend}; }} }}\n}}\n",
            paths.concat()
        );
        std::fs::write(dir.path().join("nginx.conf"), configuration).expect("a configuration");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(dir.path()).args(["-e", "stderr", "-c", "nginx.conf"]);
        Foreign::until_it_answers(port, Process::start("nginx", &mut command, dir)).await
    }

    /// A Caddy with nothing but `reverse_proxy`, and these directives beside it.
    pub async fn caddy(backend: SocketAddr, directives: &str) -> Foreign {
        process::require("caddy", "caddy");
        let (port, dir) = (Port::reserve(), process::directory());
        let configuration = format!(
            "{{\n\tadmin off\n}}\nhttp://{} {{\n\tbind 127.0.0.1\n\t{directives}\n\treverse_proxy {backend}\n}}\n",
            port.addr()
        );
        std::fs::write(dir.path().join("Caddyfile"), configuration).expect("a configuration");
        let mut command = Command::new("caddy");
        command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
        command.env("XDG_DATA_HOME", dir.path()).env("XDG_CONFIG_HOME", dir.path());
        Foreign::until_it_answers(port, Process::start("caddy", &mut command, dir)).await
    }

    async fn until_it_answers(port: Port, mut process: Process) -> Foreign {
        let health = format!("http://{}/healthz", port.addr());
        process.until(async || client().get(&health).send().await.is_ok_and(|a| a.status() == 200)).await;
        Foreign { port, _process: process }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The public URL of a counter.
    pub fn counter(&self, id: &str) -> String {
        format!("http://{}/counters/{id}/", self.addr())
    }
}
