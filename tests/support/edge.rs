//! The program of Fastly's edge in Fastly's local emulator, with a Pushpin behind it that signs as Fanout does.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use tempfile::TempDir;

use super::app::TestApp;
use super::http::{client, metric};
use super::port::Port;
use super::process::{self, Process};
use super::pushpin::{Options, Pushpin};
use super::redis::RedisServer;
use super::varnish::{API_KEY, Varnish};

/// The issuer of the signatures of the emulator's Fanout: the id of its service.
pub const ISSUER: &str = "fastly:0000000000000000000000";

/// A new P-256 pair.
pub struct Signer {
    dir: TempDir,
}

impl Signer {
    pub fn new() -> Signer {
        let dir = process::directory();
        let openssl = |arguments: &[&str]| {
            let output = Command::new("openssl").current_dir(dir.path()).args(arguments).output();
            let output =
                output.unwrap_or_else(|e| panic!("cannot start openssl ({e}): apt-get install openssl"));
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "sig.pem"]);
        openssl(&["pkey", "-in", "sig.pem", "-pubout", "-out", "verify.pem"]);
        Signer { dir }
    }

    /// A `Grip-Sig` of this pair that expires in this number of seconds.
    pub fn token(&self, issuer: &str, expires_in: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
        let claims = json!({"iss": issuer, "exp": now as i64 + expires_in});
        let key = EncodingKey::from_ec_pem(&fs::read(self.private()).expect("the key")).expect("a key");
        livecounter::jwt::install();
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key).expect("a token")
    }

    /// The public key, as PEM.
    pub fn verify_key(&self) -> String {
        fs::read_to_string(self.public()).expect("the key")
    }

    fn private(&self) -> PathBuf {
        self.dir.path().join("sig.pem")
    }

    fn public(&self) -> PathBuf {
        self.dir.path().join("verify.pem")
    }
}

/// The program in the emulator, ended when dropped.
pub struct Program {
    port: Port,
    process: Process,
}

impl Program {
    /// Starts the program in a service that has no Fanout.
    pub async fn without_fanout(backend: SocketAddr) -> Program {
        Program::start(backend, None, &Signer::new()).await
    }

    async fn start(backend: SocketAddr, pushpin: Option<&Port>, trusted: &Signer) -> Program {
        let (port, dir) = (Port::reserve(), process::directory());
        let mut command = Command::new(process::repository("fastly/edge"));
        command
            .args(["--public", &port.addr().to_string(), "--origin", &backend.to_string(), "--verify-key"])
            .arg(trusted.public())
            .arg("--dir")
            .arg(dir.path().join("run"));
        if let Some(pushpin) = pushpin {
            command.args(["--pushpin", &pushpin.number().to_string()]);
        }
        let mut process = Process::start("the edge (make edge, .ci/viceroy)", &mut command, dir);
        let metrics = format!("http://{}/metrics", port.addr());
        let ready = async || client().get(&metrics).send().await.is_ok_and(|answer| answer.status() == 404);
        process.until(ready).await;
        Program { port, process }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The public URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }

    /// The log of the program so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// The program with a Pushpin as its Fanout.
pub struct Edge {
    pub signer: Signer,
    pub pushpin: Pushpin,
    pub program: Program,
}

impl Edge {
    /// Starts the program and its Pushpin in front of this backend.
    pub async fn start(backend: SocketAddr) -> Edge {
        let port = Port::reserve();
        let signer = Signer::new();
        let program = Program::start(backend, Some(&port), &signer).await;
        Edge::with(program, port, signer).await
    }

    /// Starts a program that trusts another key than its Pushpin has.
    pub async fn estranged(backend: SocketAddr) -> Edge {
        let port = Port::reserve();
        let program = Program::start(backend, Some(&port), &Signer::new()).await;
        Edge::with(program, port, Signer::new()).await
    }

    async fn with(program: Program, port: Port, signer: Signer) -> Edge {
        let settings = vec![("accept_pushpin_route", "true".to_owned()), ("sig_iss", ISSUER.to_owned())];
        let sig_key = format!("file:{}", signer.private().display());
        let pushpin = Pushpin::with(program.addr(), Options { sig_key, settings, port: Some(port) }).await;
        Edge { signer, pushpin, program }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.program.addr()
    }

    /// The public URL of a path.
    pub fn url(&self, path: &str) -> String {
        self.program.url(path)
    }
}

/// The whole way: edge, Pushpin, a cache in Fastly's place, an origin, Redis. Origins are dropped first, so that they
/// can announce their pending changes.
pub struct EdgeChain {
    pub origin: Option<TestApp>,
    pub edge: Edge,
    pub cache: Varnish,
    redis: RedisServer,
    port: Port,
    environment: Vec<(String, String)>,
}

impl EdgeChain {
    /// Starts all servers, the origin with these settings.
    pub async fn start(environment: &[(&str, &str)]) -> EdgeChain {
        let (redis, port) = (RedisServer::start(), Port::reserve());
        let cache = Varnish::start(&[port.addr()]).await;
        let edge = Edge::start(cache.addr()).await;
        let environment =
            environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let mut chain = EdgeChain { origin: None, edge, cache, redis, port, environment };
        chain.start_origin().await;
        chain
    }

    /// Starts the origin (again, on the same address), and waits until a listener is served.
    pub async fn start_origin(&mut self) {
        let listen = self.port.addr().to_string();
        let (redis, api) = (self.redis.url(), self.cache.api_url());
        let grip = format!("{}?verify-iss={ISSUER}", self.edge.pushpin.control_url());
        let key = self.edge.signer.verify_key();
        let mut settings = vec![
            ("LIVECOUNTER__LISTEN", listen.as_str()),
            ("REDIS_URL", &redis),
            ("GRIP_URL", &grip),
            ("GRIP_VERIFY_KEY", &key),
            ("FASTLY_SERVICE_ID", "local"),
            ("FASTLY_API_KEY", API_KEY),
            ("LIVECOUNTER__FASTLY__API_URL", &api),
        ];
        settings.extend(self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.origin = Some(TestApp::with(&settings).await);
        let through = self.edge.url("/healthz");
        let mut poll = tokio::time::interval(Duration::from_millis(50));
        let ready = async {
            while !client().get(&through).send().await.is_ok_and(|answer| answer.status() == 200) {
                poll.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ready).await.expect("the chain to answer");
    }

    /// The sum of the lines of the origin's metrics that contain `part`.
    pub async fn metric(&self, part: &str) -> f64 {
        let origin = self.origin.as_ref().expect("an origin");
        metric(&origin.address, part).await.unwrap_or_default()
    }
}
