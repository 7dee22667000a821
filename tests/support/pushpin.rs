//! A Pushpin with our configuration.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{self, Ask};
use super::port::Port;
use super::process::{self, Process};

/// A host for which Pushpin's own test handler answers, at /stream with a held stream: Pushpin's parts connect to each other one
/// after the other, and the part that holds streams is the last.
const READY: &str = "pushpin-ready.invalid";

/// The options that a test may set.
pub struct Options {
    /// The key that requests are signed with; origins verify with it.
    pub sig_key: String,
    /// Settings of pushpin/pushpin.conf to replace, e.g. `("message_wait", "100")`.
    pub settings: Vec<(&'static str, String)>,
    /// The public port, if another server has to know the port before Pushpin starts.
    pub port: Option<Port>,
}

impl Default for Options {
    fn default() -> Self {
        Options { sig_key: "the-key-of-a-test".to_owned(), settings: Vec::new(), port: None }
    }
}

/// A running Pushpin, ended when dropped.
pub struct Pushpin {
    target: SocketAddr,
    public: Port,
    control: Port,
    options: Options,
    process: Process,
}

impl Pushpin {
    /// Starts a Pushpin in front of `target`, which must already answer.
    pub async fn start(target: SocketAddr) -> Pushpin {
        Pushpin::with(target, Options::default()).await
    }

    /// Starts a Pushpin with these options.
    pub async fn with(target: SocketAddr, mut options: Options) -> Pushpin {
        for program in ["pushpin", "condure", "zurl"] {
            process::require(program, "pushpin condure zurl");
        }
        let (public, control) = (options.port.take().unwrap_or_else(Port::reserve), Port::reserve());
        let process = spawn(target, &public, &control, &options);
        let mut pushpin = Pushpin { target, public, control, options, process };
        pushpin.until_ready().await;
        pushpin
    }

    /// Kills all its parts, as `kill -9` does; returns when its ports are free.
    pub async fn kill(&mut self) {
        self.process.signal("KILL");
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        for port in [&self.public, &self.control] {
            while tokio::net::TcpStream::connect(port.addr()).await.is_ok() {
                assert!(std::time::Instant::now() < deadline, "it is still there");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Starts Pushpin again after [`kill`](Pushpin::kill), on the same ports, without memory.
    pub async fn start_again(&mut self) {
        self.process = spawn(self.target, &self.public, &self.control, &self.options);
        self.until_ready().await;
    }

    async fn until_ready(&mut self) {
        let (proxied, held, control) = (self.url("/healthz"), self.url("/stream"), self.control_url());
        let client = http::client();
        let get = |url: &str| client.get(url).timeout(Duration::from_secs(1));
        let ready = async || {
            get(&control).send().await.is_ok()
                && get(&held).header("Host", READY).send().await.is_ok_and(|answer| answer.status() == 200)
                && get(&proxied).send().await.is_ok_and(|answer| answer.status() != 502)
        };
        self.process.until(ready).await;
    }

    /// Where listeners connect.
    pub fn addr(&self) -> SocketAddr {
        self.public.addr()
    }

    /// The public URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public.addr())
    }

    /// The control URL, without keys.
    pub fn control_url(&self) -> String {
        format!("http://{}/", self.control.addr())
    }

    /// The GRIP_URL of an origin: the control URL, and the key that verifies the signatures.
    pub fn grip_url(&self) -> String {
        format!("{}?iss=test&key={}", self.control_url(), self.options.sig_key)
    }

    /// Publishes one item to an HTTP stream.
    pub async fn publish(&self, channel: &str, id: &str, prev_id: &str, content: &str) {
        let item = json!({
            "channel": channel, "id": id, "prev-id": prev_id, "formats": {"http-stream": {"content": content}},
        });
        self.publish_items(&[item]).await;
    }

    /// Publishes items as they are.
    pub async fn publish_items(&self, items: &[Value]) {
        let url = format!("{}publish/", self.control_url());
        let answer = http::client().post(url).json(&json!({ "items": items })).answer().await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap_or_default());
    }

    /// The process, to be stopped or signalled.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn spawn(target: SocketAddr, public: &Port, control: &Port, options: &Options) -> Process {
    let dir = process::directory();
    let mut command = Command::new(process::repository("pushpin/start"));
    command
        .arg("--dir")
        .arg(dir.path().join("run"))
        // Pushpin takes the second route only if `accept_pushpin_route` lets a request choose the route.
        .args(["--route", &format!("* {target}\nid=self {target}\n{READY} test")])
        .arg(format!("http_port={}", public.addr()))
        .arg("push_in_http_addr=127.0.0.1")
        .arg(format!("push_in_http_port={}", control.number()))
        .args(options.settings.iter().map(|(name, value)| format!("{name}={value}")))
        .env_remove("GRIP_KEY_FILE")
        .env("GRIP_KEY", &options.sig_key);
    Process::start("pushpin", &mut command, dir)
}
