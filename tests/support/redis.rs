//! A real redis-server per test, on a unix socket or a free port, with its files in a temporary directory.

// Each test crate uses a part of this.
#![allow(dead_code)]

use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::port::Port;

/// A Redis server of one test. Dropping this value ends the server.
pub struct RedisServer {
    child: Option<Child>,
    paused: bool,
    program: &'static str,
    arguments: Vec<String>,
    port: Option<u16>,
    /// The arguments with which `redis-cli` reaches the server.
    password: Option<String>,
    directory: TempDir,
    /// Keeps the port from other tests, where the server has reserved it itself.
    reserved: Option<Port>,
}

impl RedisServer {
    /// On a unix socket only, without persistence.
    pub fn start() -> Self {
        let mut server = RedisServer::stopped();
        server.run();
        server
    }

    /// On a unix socket, with more settings, each as `"--name value"`.
    pub fn start_with(settings: &[&str]) -> Self {
        let mut server = RedisServer::of("redis-server", None, &[&["--port 0"], settings].concat());
        server.run();
        server
    }

    /// A server that is not running yet, but whose address is known.
    pub fn stopped() -> Self {
        RedisServer::of("redis-server", None, &["--port 0"])
    }

    /// On a unix socket and on a port of 127.0.0.1 that it reserves, with more settings, each as `"--name value"`.
    pub fn with_port(settings: &[&str]) -> Self {
        let port = Port::reserve();
        let mut server = RedisServer::on_port(port.number(), settings);
        server.reserved = Some(port);
        server
    }

    /// The same on this port.
    pub fn on_port(port: u16, settings: &[&str]) -> Self {
        let own = listen(port, &settings.concat());
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let mut server = RedisServer::of("redis-server", Some(port), &[&own, settings].concat());
        server.run();
        server
    }

    /// A server with the configuration file in `directory` and no other settings: for Sentinels, which rewrite their file.
    pub fn sentinel(port: u16, configuration: &str) -> Self {
        let mut server = RedisServer::of("redis-sentinel", Some(port), &[]);
        let file = server.directory.path().join("sentinel.conf");
        let (socket, listen) = (server.socket(), listen(port, configuration));
        let listen =
            listen.iter().map(|setting| setting.trim_start_matches("--")).collect::<Vec<_>>().join("\n");
        let own = format!("bind 127.0.0.1\nunixsocket {}\n{listen}\n", socket.display());
        std::fs::write(&file, own + configuration + "\n").expect("write sentinel.conf");
        server.arguments = vec![file.display().to_string()];
        let password = configuration.lines().find_map(|line| line.strip_prefix("requirepass "));
        server.password = password.map(str::to_owned);
        server.run();
        server
    }

    fn of(program: &'static str, port: Option<u16>, settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let place = directory.path().display();
        let mut arguments = vec![
            "--bind 127.0.0.1".to_owned(),
            format!("--unixsocket {place}/redis.sock"),
            format!("--dir {place}"),
            "--save \"\"".to_owned(),
            "--appendonly no".to_owned(),
        ];
        arguments.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let arguments = arguments.iter().flat_map(|argument| match argument.split_once(' ') {
            Some((name, "\"\"")) => vec![name.to_owned(), String::new()],
            Some((name, values)) => [name].into_iter().chain(values.split(' ')).map(str::to_owned).collect(),
            None => vec![argument.clone()],
        });
        let arguments = arguments.collect();
        let password = settings.iter().find_map(|setting| setting.strip_prefix("--requirepass "));
        let password = password.map(str::to_owned);
        RedisServer {
            child: None,
            paused: false,
            program,
            arguments,
            port,
            password,
            directory,
            reserved: None,
        }
    }

    /// Starts the server, or starts it again, and waits until it answers.
    pub fn run(&mut self) {
        // The files that the server wrote before it was killed stay.
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.directory.path().join("log"));
        let log = log.expect("a log file");
        let child = Command::new(self.program).args(&self.arguments).stdin(Stdio::null()).stdout(log).spawn();
        self.child = Some(child.unwrap_or_else(|error| {
            panic!("cannot start {} ({error}): apt-get install redis-server redis-sentinel", self.program)
        }));
        let deadline = Instant::now() + Duration::from_secs(10);
        // Looking for the socket costs less than a `redis-cli` that finds no server.
        while UnixStream::connect(self.socket()).is_err()
            || self.try_cli(&["PING"]).as_deref() != Some("PONG")
        {
            assert!(Instant::now() < deadline, "{} does not answer:\n{}", self.program, self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills the server, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that the server has ended already.
            let _ = child.kill();
            let _ = child.wait();
            self.paused = false;
        }
    }

    /// Stops the process without ending it. Commands that clients send wait until the process goes on.
    pub fn pause(&mut self) {
        self.signal("STOP");
        self.paused = true;
    }

    /// Lets a paused server go on.
    pub fn resume(&mut self) {
        self.signal("CONT");
        self.paused = false;
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("a running server").id();
        let kill = format!("kill -{signal} {id}");
        let status = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(status.success(), "{kill}");
    }

    /// The URL of the server, as in `REDIS_URL`.
    pub fn url(&self) -> String {
        match self.port {
            Some(port) => format!("redis://127.0.0.1:{port}"),
            None => format!("unix://{}", self.socket().display()),
        }
    }

    /// The port, if the server has one.
    pub fn port(&self) -> u16 {
        self.port.expect("a port")
    }

    /// The directory of the server's files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The output of `redis-cli` for a command.
    pub fn cli(&self, command: &[&str]) -> String {
        self.try_cli(command).unwrap_or_else(|| panic!("redis-cli {command:?} failed"))
    }

    /// The output of `redis-cli`; `None` if the server does not answer.
    pub(crate) fn try_cli(&self, command: &[&str]) -> Option<String> {
        if self.paused {
            return None;
        }
        let mut cli = Command::new("redis-cli");
        // `redis-cli` uses the socket, as the port may be for TLS alone.
        cli.arg("-s").arg(self.socket());
        if let Some(password) = &self.password {
            cli.env("REDISCLI_AUTH", password);
        }
        let output =
            cli.args(command).stderr(Stdio::null()).output().unwrap_or_else(|error| {
                panic!("cannot start redis-cli ({error}): apt-get install redis-server")
            });
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        output.status.success().then_some(text)
    }

    /// The answer to a command, without a program that would have to start: on a busy machine that takes a tenth of a second. For servers
    /// without a password.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(format!("unix://{}", self.socket().display())).expect("an address");
        let mut connection = client.get_connection().expect("a connection");
        let mut asked = redis::Cmd::new();
        asked.arg(command);
        asked.query(&mut connection).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let port = self.port.map(|port| format!(" at {port}")).unwrap_or_default();
            eprintln!("--- log of {}{port} ---\n{}--- end ---", self.program, self.log());
        }
    }
}

/// The settings with which a server listens on a port: with a certificate, the server and its peers speak TLS alone.
fn listen(port: u16, settings: &str) -> Vec<String> {
    if !settings.contains("tls-cert-file") {
        return vec![format!("--port {port}")];
    }
    vec!["--port 0".to_owned(), format!("--tls-port {port}"), "--tls-replication yes".to_owned()]
}

/// The settings with which replicas follow their master as a user of their own, which [`part_with_replicas`] shuts out.
pub const FOLLOWER: [&str; 3] =
    ["--user follower on >follow +psync +replconf +ping", "--masteruser follower", "--masterauth follow"];

/// From now on the replicas do not get the changes of the master; its clients notice nothing.
pub fn part_with_replicas(master: &RedisServer) {
    master.cli(&["ACL", "SETUSER", "follower", "off"]);
    master.cli(&["CLIENT", "KILL", "TYPE", "replica"]);
}

/// Waits until all replicas of a master have all of its changes so far.
pub async fn until_caught_up(master: &RedisServer) {
    let field = |line: &str, name: &str| -> Option<u64> {
        line.split([',', '\n']).find_map(|field| field.trim_end().strip_prefix(name)?.parse().ok())
    };
    let written = field(&master.cli(&["INFO", "replication"]), "master_repl_offset:").expect("an offset");
    reached("the replicas to catch up", || {
        let info = master.cli(&["INFO", "replication"]);
        let mut replicas = info.lines().filter(|line| line.contains("state=")).peekable();
        replicas.peek().is_some() && replicas.all(|line| field(line, "offset=") >= Some(written))
    })
    .await;
}

/// The port by which the other servers reach a server with relays in front of it, and the address from which that server connects.
pub struct Detour {
    pub port: u16,
    /// The same for the bus of a Cluster.
    pub bus: u16,
    pub source: IpAddr,
}

/// Polls until the condition holds. Starting several servers that have to find each other takes seconds.
pub async fn reached(what: &str, is_so: impl FnMut() -> bool) {
    reached_within(Duration::from_secs(30), || what.to_owned(), is_so).await;
}

/// The same with another deadline; `what` makes the message if the deadline passes.
pub async fn reached_within(patience: Duration, what: impl Fn() -> String, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {}", what());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
