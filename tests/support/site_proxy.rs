//! Caddy and nginx as docs/your-site.md puts them in front of the service: with the files of docs/examples/site, in which a test replaces the
//! addresses and the certificate, and nothing else.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::certificates::certificates;
use super::port::Port;
use super::process::{self, Process, repository};

/// How long a line of a stream may take.
const SOON: Duration = Duration::from_secs(20);
/// The name in the files and in the certificate.
const NAME: &str = "counters.example.com";

/// A running proxy with TLS, ended when dropped.
pub struct SiteProxy {
    https: Port,
    http: Port,
    certificates: TempDir,
    _process: Process,
}

/// The text of a file in docs/examples/site with replacements. Each text that is replaced must be there once.
fn example(name: &str, replacements: &[(&str, &str)]) -> String {
    let text = std::fs::read_to_string(repository("docs/examples/site").join(name)).expect("the example");
    replacements.iter().fold(text, |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from} in {name}");
        text.replace(from, to)
    })
}

fn authority_of(certificates: &TempDir) -> PathBuf {
    certificates.path().join("ca.crt")
}

impl SiteProxy {
    /// Caddy, which gets its certificate from the test and not from an authority of the web.
    pub async fn caddy(service: SocketAddr) -> SiteProxy {
        process::require("caddy", "caddy");
        let (https, http, dir, certificates) =
            (Port::reserve(), Port::reserve(), process::directory(), certificates());
        let place = certificates.path().display();
        let site = format!(
            "{NAME}:{} {{\n\tbind 127.0.0.1\n\ttls {place}/server.crt {place}/server.key\n",
            https.number()
        );
        let options = format!("{{\n\tadmin off\n\thttp_port {}\n}}\n", http.number());
        let file = example(
            "Caddyfile",
            &[(&format!("{NAME} {{\n"), &site), ("127.0.0.1:8000", &service.to_string())],
        );
        std::fs::write(dir.path().join("Caddyfile"), options + &file).expect("a configuration");
        let mut command = std::process::Command::new("caddy");
        command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
        command.env("XDG_DATA_HOME", dir.path()).env("XDG_CONFIG_HOME", dir.path());
        let process = Process::start("caddy", &mut command, dir);
        SiteProxy { https, http, certificates, _process: process }.that_answers().await
    }

    /// nginx with Debian's settings around the file, as far as they matter.
    pub async fn nginx(service: SocketAddr) -> SiteProxy {
        process::require("nginx", "nginx");
        let (https, http, dir, certificates) =
            (Port::reserve(), Port::reserve(), process::directory(), certificates());
        let paths = format!("/etc/letsencrypt/live/{NAME}/");
        let (certificate, key) = (format!("{paths}fullchain.pem"), format!("{paths}privkey.pem"));
        let place = certificates.path().display().to_string();
        let file = example(
            "nginx.conf",
            &[
                ("server 127.0.0.1:8000;", &format!("server {service};")),
                ("listen 443 ", &format!("listen {} ", https.addr())),
                ("    listen [::]:443 ssl http2;\n", ""),
                ("listen 80;", &format!("listen {};", http.addr())),
                ("    listen [::]:80;\n", ""),
                (&certificate, &format!("{place}/server.crt")),
                (&key, &format!("{place}/server.key")),
            ],
        );
        let bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};\n"));
        // Debian's nginx.conf switches gzip on.
        let around = format!(
            "daemon off;\npid pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\ngzip on;\n{}{file}}}\n",
            bodies.concat()
        );
        std::fs::write(dir.path().join("nginx.conf"), around).expect("a configuration");
        let mut command = std::process::Command::new("nginx");
        command.arg("-p").arg(dir.path()).args(["-e", "stderr", "-c", "nginx.conf"]);
        let process = Process::start("nginx", &mut command, dir);
        SiteProxy { https, http, certificates, _process: process }.that_answers().await
    }

    async fn that_answers(mut self) -> SiteProxy {
        let (url, authority) = (self.url("/healthz"), authority_of(&self.certificates));
        let ready = async || {
            let asked = curl(&authority, self.https.number()).args(["-o", "/dev/null", "-f", &url]).output();
            asked.await.is_ok_and(|asked| asked.status.success())
        };
        self._process.until(ready).await;
        self
    }

    /// The file of an authority: `ca.crt` has signed the certificate, `other-ca.crt` has not.
    pub fn authority(&self, name: &str) -> PathBuf {
        self.certificates.path().join(name)
    }

    /// Where clients connect, with TLS.
    pub fn addr(&self) -> SocketAddr {
        self.https.addr()
    }

    /// The public URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://{NAME}:{}{path}", self.https.number())
    }

    /// The address without TLS, as browsers ask for it at first.
    pub fn without_tls(&self, path: &str) -> String {
        format!("http://{}{path}", self.http.addr())
    }

    /// A curl that speaks HTTP/2, trusts the certificate and connects to the proxy.
    pub fn curl(&self) -> Command {
        let mut command = curl(&authority_of(&self.certificates), self.https.number());
        command.arg("--http2");
        command
    }

    /// What curl prints with these arguments.
    pub async fn printed(&self, arguments: &[&str]) -> String {
        let output = self.curl().args(arguments).output().await.expect("curl to run");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("a text")
    }

    /// A listener of this path, which would take a compressed stream.
    pub fn listen(&self, path: &str) -> HttpsListener {
        let mut command = self.curl();
        command.args([
            "-N",
            "-i",
            "-H",
            "accept: text/event-stream",
            "-H",
            "accept-encoding: gzip, br, zstd",
        ]);
        let mut curl = command.arg(self.url(path)).stdout(Stdio::piped()).spawn().expect("curl to start");
        let lines = BufReader::new(curl.stdout.take().expect("its output")).lines();
        HttpsListener { _curl: curl, lines }
    }
}

fn curl(authority: &Path, port: u16) -> Command {
    process::require("curl", "curl");
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*", "--max-time", "60", "--cacert"]).arg(authority);
    command.arg("--resolve").arg(format!("{NAME}:{port}:127.0.0.1")).kill_on_drop(true);
    command
}

/// A listener over TLS. Dropping it closes the connection.
pub struct HttpsListener {
    _curl: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl HttpsListener {
    /// The head of the answer: the status line and the headers, in lower case.
    pub async fn head(&mut self) -> Vec<String> {
        let mut head = Vec::new();
        loop {
            match self.line().await {
                line if line.is_empty() => return head,
                line => head.push(line.to_ascii_lowercase()),
            }
        }
    }

    /// Reads up to a line that begins with this text; returns the rest of that line.
    pub async fn until(&mut self, begin: &str) -> String {
        loop {
            if let Some(rest) = self.line().await.strip_prefix(begin) {
                return rest.to_owned();
            }
        }
    }

    async fn line(&mut self) -> String {
        let line = timeout(SOON, self.lines.next_line()).await.expect("a line soon");
        line.expect("to read").expect("the stream goes on").trim_end_matches('\r').to_owned()
    }
}
