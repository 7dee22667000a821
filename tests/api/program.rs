//! The program itself: flags, exit statuses, signals, kill -9.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::grip::{GRIP_URL, SECRET, claims, hs256};
use crate::support::http::client;
use crate::support::process::resident_kib;
use crate::support::redis::{RedisServer, free_port};

fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_livecounter"));
    command.current_dir(directory).env_clear().env("RUST_LOG", "info");
    command
}

/// Runs the program until it ends by itself.
fn output(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = program(directory.path());
    command.args(arguments).envs(environment.iter().copied()).output().expect("the program to run")
}

/// A running program, killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    log: BufReader<std::process::ChildStderr>,
}

impl Program {
    /// Starts it on a free port and waits for the line that says where it serves.
    fn start(directory: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = program(directory);
        command.args(["serve", "--listen", "127.0.0.1:0"]).envs(environment.iter().copied());
        Program::run(command)
    }

    /// The same as a child of a system that lets it open 1,024 files until it asks for more.
    pub(crate) fn start_with_few_files(directory: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn 1024; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_livecounter")]);
        command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(directory);
        command.env_clear().env("RUST_LOG", "info");
        Program::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program to start");
        let log = BufReader::new(child.stderr.take().expect("its log"));
        // From here on it is killed, whatever fails.
        let mut program = Program { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log };
        loop {
            let mut line = String::new();
            assert!(program.log.read_line(&mut line).expect("a log line") > 0, "the program ended early");
            if let Some((_, rest)) = line.split_once("serving http://") {
                let address: String = rest.chars().take_while(|c| *c != '/').collect();
                program.address = address.parse().expect("an address");
                return program;
            }
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it holds in memory now, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        resident_kib(self.child.id())
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill to run").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn help_and_version_are_printed() {
    let help = output(&[], &["--help"]);
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("Usage: livecounter [serve]"));
    let version = output(&[], &["--version"]);
    assert_eq!(
        String::from_utf8_lossy(&version.stdout),
        concat!("livecounter ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

/// An address that nothing else can listen on while the first of both lives.
fn taken() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

/// Environment, arguments, and how the line begins.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str);

/// Every case ends the program with one line and status 2, and without what is secret.
fn refused(cases: &[Case]) {
    // Should one be accepted, it ends all the same, with another status.
    let (_listener, taken) = taken();
    for (environment, arguments, expected) in cases {
        let output = output(&[&[("LIVECOUNTER__LISTEN", taken.as_str())], *environment].concat(), arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{environment:?} {arguments:?}: {error}");
        assert!(
            error.starts_with(&format!("livecounter: {expected}")),
            "{environment:?} {arguments:?}: {error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn flags_and_files_that_cannot_be_used_are_one_line_and_status_2() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("to write");
        path.display().to_string()
    };
    let (key, section) =
        (file("key.toml", "[publish]\nintervall = \"1s\"\n"), file("section.toml", "[redsi]\n"));
    let directory = directory.path().display().to_string();
    refused(&[
        (&[], &["--lisen"], "invalid option '--lisen'"),
        (&[], &["run"], "unexpected argument \"run\""),
        (&[], &["--listen", "here"], "--listen: must be ADDRESS:PORT, such as 127.0.0.1:8000"),
        (&[], &["--listen", "localhost:8000"], "--listen: must be ADDRESS:PORT, such as 127.0.0.1:8000"),
        (&[], &["--config", &key], "publish.intervall: no such setting"),
        (&[], &["--config", &section], "redsi: no such setting"),
        (&[], &["--config", "missing.toml"], "missing.toml: No such file"),
        (&[], &["--config", &directory], &format!("{directory}: Is a directory")),
    ]);
}

#[test]
fn settings_that_cannot_be_used_are_one_line_and_status_2() {
    const FASTLY_URL: &str = "LIVECOUNTER__FASTLY__API_URL";
    refused(&[
        (&[("LIVECOUNTER__PUBLISH__INTERVAL", "soon")], &[], "publish.interval: must be a duration"),
        (&[("LIVECOUNTER__LISTEN__PORT", "1")], &[], "listen.port: no such setting"),
        (&[("REDIS_URL", "redis://127.0.0.1/")], &[], "grip.url: REDIS_URL makes the origin stateless"),
        (
            &[("REDIS_URL", "http://:hush@r"), ("GRIP_URL", "http://p:5561/")],
            &[],
            "redis.url: must begin with redis://, rediss://, redis+unix:// (or unix://), redis+cluster://",
        ),
        (&[("LIVECOUNTER__SQLITE__PATH", "/nowhere/at/all.db")], &[], "sqlite.path: "),
        (
            &[("FASTLY_SERVICE_ID", "a/b"), ("FASTLY_API_KEY", "hush")],
            &[],
            "fastly.service_id: the service id consists of A-Z a-z 0-9 _ -",
        ),
        (&[(FASTLY_URL, "here")], &[], "fastly.api_url: the API's address must be a URL of http or https"),
        (&[(FASTLY_URL, "https://hush@p/")], &[], "fastly.api_url: the API's address must be a URL"),
    ]);
}

#[test]
fn addresses_and_keys_of_proxies_that_cannot_be_used_are_one_line_and_status_2() {
    const KEY: &str = "GRIP_VERIFY_KEY";
    let refused_url = |url, expected| refused(&[(&[("GRIP_URL", url)], &[], expected)]);
    refused_url("nonsense?key=hush", "grip.url: address 1 is not a URL");
    refused_url(
        "http://p/?verify_key=hush",
        "grip.url: address 1 has the parameter verify-key in another spelling",
    );
    refused_url(
        "http://p/?iss=i&key=hush&verify-iss=i http://q/?verify-iss=hush",
        "grip.url: address 2 has the parameter verify-iss but no key to verify with",
    );
    refused(&[
        (&[("GRIP_URL", "http://p/"), (KEY, "base64:hush!")], &[], "grip.verify_key: starts with base64:"),
        (&[(KEY, "hush")], &[], "grip.verify_key: verifies the signatures of the proxies in grip.url"),
    ]);
}

#[test]
fn a_variable_of_ours_that_is_no_text_is_one_line_and_status_2() {
    let (directory, (_listener, taken)) = (tempfile::tempdir().expect("a directory"), taken());
    let run = |name: &str| {
        let mut command = program(directory.path());
        command.args(["--listen", &taken]).env(name, OsStr::from_bytes(b"hush\xff"));
        let output = command.output().expect("the program to run");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for name in ["LIVECOUNTER__WORKERS", "REDIS_URL", "GRIP_URL", "FASTLY_API_KEY", "PORT", "RUST_LOG"] {
        assert_eq!(run(name), (Some(2), format!("livecounter: {name}: must be UTF-8 text\n")));
    }
    assert_eq!(run("LIVECOUNTER").0, Some(1), "other programs' variables are not looked at");
}

#[test]
fn an_address_in_use_is_said_with_status_1() {
    let (_listener, address) = taken();
    let output = output(&[], &["--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with(&format!("livecounter: cannot listen on {address}: ")), "{error}");
    assert_eq!(error.matches("in use").count(), 1, "{error}");
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    for expected in 1..=20 {
        let answer = client().post(program.url("/counters/2/")).send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("a text"), format!("{expected}\n"));
    }
    program.signal("-KILL");
    drop(program);
    assert!(directory.path().join("livecounter.db").exists(), "one file in the working directory");
    let again = Program::start(directory.path(), &[]);
    let read = client().get(again.url("/counters/2/")).send().await.expect("an answer");
    assert_eq!(read.text().await.expect("a text"), "20\n");
}

#[tokio::test]
async fn sigterm_and_ctrl_c_end_it_with_status_0() {
    for signal in ["-TERM", "-INT"] {
        let directory = tempfile::tempdir().expect("a directory");
        let mut program = Program::start(directory.path(), &[]);
        client().post(program.url("/counters/2/")).send().await.expect("an answer");
        program.signal(signal);
        let status = program.child.wait().expect("an exit status");
        assert_eq!(status.code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn what_could_not_be_announced_at_the_end_is_said() {
    let (directory, gone) = (tempfile::tempdir().expect("a directory"), free_port());
    let proxy = format!("http://127.0.0.1:{gone}/");
    let mut program = Program::start(directory.path(), &[("GRIP_URL", &proxy)]);
    client().post(program.url("/counters/2/")).send().await.expect("an answer");
    program.signal("-TERM");
    let mut log = String::new();
    program.log.read_to_string(&mut log).expect("the log");
    assert!(log.contains("not everything pending could be announced; it stays in the outbox"), "{log}");
    assert_eq!(program.child.wait().expect("an exit status").code(), Some(0));
}

#[tokio::test]
async fn refused_signatures_are_all_counted_and_logged_once_for_each_reason() {
    let (directory, redis) = (tempfile::tempdir().expect("a directory"), RedisServer::start());
    let url = redis.url();
    let mut program = Program::start(directory.path(), &[("REDIS_URL", &url), ("GRIP_URL", GRIP_URL)]);
    // As an origin sees Pushpin's signatures whose clock is an hour and a minute ahead.
    let expired = hs256(SECRET, &claims("pushpin", -60));
    let forged = hs256("another key", &claims("pushpin", 60));
    let signatures = [Some(expired.as_str()), Some(&forged), Some("x"), None];
    for _ in 0..20 {
        for signature in signatures {
            let mut request = client().get(program.url("/counters/2/")).header("accept", "text/event-stream");
            if let Some(signature) = signature {
                request = request.header("grip-sig", signature);
            }
            assert_eq!(request.send().await.expect("an answer").status(), 501);
        }
    }
    let metrics = client().get(program.url("/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("a text");
    for (reason, count) in [("missing", 20), ("invalid", 40), ("issuer", 0), ("expired", 20)] {
        let line = format!("livecounter_grip_signatures_refused_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
    program.signal("-TERM");
    let mut log = String::new();
    program.log.read_to_string(&mut log).expect("the log");
    let said = |part: &str| log.lines().filter(|line| line.contains("WARN") && line.contains(part)).count();
    assert_eq!((said("no Grip-Sig"), said("not signed"), said("expired")), (1, 1, 1), "{log}");
    assert_eq!(said("Grip-Sig") + said("501"), 3, "and nothing else for each: {log}");
}

#[tokio::test]
async fn json_logs_are_one_object_a_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut program = Program::start(directory.path(), &[("LIVECOUNTER__LOG__FORMAT", "json")]);
    program.signal("-TERM");
    let mut lines = 0;
    for line in program.log.by_ref().lines() {
        let line = line.expect("a line");
        let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert!(entry["level"].is_string() && entry["message"].is_string(), "{line}");
        lines += 1;
    }
    assert!(lines > 0, "the end is logged");
}
