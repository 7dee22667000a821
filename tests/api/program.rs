//! The program itself: flags, exit statuses, signals, kill -9.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::grip::{GRIP_URL, SECRET, claims, hs256};
use crate::settings::taken;
use crate::support::http::{Ask, client};
use crate::support::process::resident_kib;
use crate::support::redis::RedisServer;
use crate::support::server::Server;

pub(crate) fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_livecounter"));
    command.current_dir(directory).env_clear().env("RUST_LOG", "info");
    command
}

/// Runs the program until it ends by itself.
pub(crate) fn output(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = program(directory.path());
    let output = command.args(arguments).envs(environment.iter().copied()).output();
    let output = output.expect("the program to run");
    if output.status.code() == Some(2) {
        let mut left = std::fs::read_dir(directory.path()).expect("the directory");
        assert!(left.next().is_none(), "{environment:?} {arguments:?} left something behind");
    }
    output
}

/// A running program, killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    log: BufReader<std::process::ChildStderr>,
}

impl Program {
    /// Starts the program on a free port and waits for the line that says where it serves.
    pub(crate) fn start(directory: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = program(directory);
        command.args(["serve", "--listen", "127.0.0.1:0"]).envs(environment.iter().copied());
        Program::run(command)
    }

    /// Starts the program with a soft limit of 1,024 open files, which the program may raise.
    pub(crate) fn start_with_few_files(directory: &Path) -> Self {
        Program::start_behind("ulimit -Sn 1024", directory)
    }

    /// Starts the program after a command of the shell.
    pub(crate) fn start_behind(first: &str, directory: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{first}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_livecounter")]);
        command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(directory);
        command.env_clear().env("RUST_LOG", "info");
        Program::run(command)
    }

    /// Runs this command, which must start the program and let it listen on a free port.
    pub(crate) fn run(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program to start");
        let log = BufReader::new(child.stderr.take().expect("its log"));
        // From here on the drop of `program` kills the child, whatever fails.
        let mut program = Program { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log };
        let address = program.until_logged("serving http://");
        let address: String = address.chars().take_while(|c| *c != '/').collect();
        program.address = address.parse().expect("an address");
        program
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads the log up to a line with this text; returns what follows it in that line.
    pub(crate) fn until_logged(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).expect("a log line") > 0, "the program ended early");
            if let Some((_, rest)) = line.split_once(text) {
                return rest.to_owned();
            }
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The memory of the program now, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        resident_kib(self.child.id())
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill to run").success());
    }

    /// Reads the log to its end, which comes when the program ends.
    pub(crate) fn rest_of_log(&mut self) -> String {
        let mut log = String::new();
        self.log.read_to_string(&mut log).expect("the log");
        log
    }

    /// Waits for the end of the program.
    pub(crate) fn exit_code(mut self) -> Option<i32> {
        self.child.wait().expect("an exit status").code()
    }
}

impl Server for Program {
    fn addr(&self) -> SocketAddr {
        self.address
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

#[test]
fn check_says_which_way_the_service_would_run_and_opens_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_listener, taken) = taken();
    let check = |environment: &[(&str, &str)]| {
        let mut command = program(directory.path());
        let output = command.args(["check", "--listen", &taken]).envs(environment.iter().copied()).output();
        let output = output.expect("the program to run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let file = directory.path().join("livecounter.db");
    let expected = format!(
        "the settings can be used: counters in the SQLite file {}; streams held in this process; purging off\n",
        file.display()
    );
    assert_eq!(check(&[]), (Some(0), expected, String::new()));
    // No server listens at either address.
    let (status, text, warnings) =
        check(&[("REDIS_URL", "redis://:hush@127.0.0.1:1/3"), ("GRIP_URL", "http://127.0.0.1:2/")]);
    assert_eq!((status, text.lines().count()), (Some(0), 1), "{warnings}");
    assert!(text.contains("counters in the Redis at 127.0.0.1:1, database 3"), "{text}");
    assert!(warnings.contains("a proxy in GRIP_URL has no verify key"), "{warnings}");
    assert!(!format!("{text}{warnings}").contains("hush"));
    let mut command = program(directory.path());
    let public = command.args(["check", "--listen", "0.0.0.0:80"]).output().expect("the program to run");
    assert!(String::from_utf8_lossy(&public.stderr).contains("with no limit on what one client may take"));
    let (status, text, error) = check(&[("REDIS_URL", "http://r"), ("GRIP_URL", "http://127.0.0.1:2/")]);
    assert_eq!((status, text.as_str()), (Some(2), ""));
    assert!(error.starts_with("livecounter: redis.url: must begin with redis://"), "{error}");
    let mut left = std::fs::read_dir(directory.path()).expect("the directory");
    assert!(left.next().is_none(), "nothing is left behind");
}

#[test]
fn visitors_told_by_the_address_of_a_proxy_are_warned_of() {
    let directory = tempfile::tempdir().expect("a directory");
    let grip = ("GRIP_URL", "http://127.0.0.1:2/");
    let (window, uniques) =
        (("LIVECOUNTER__HITS__WINDOW_WITHOUT_COOKIES", "true"), ("LIVECOUNTER__HITS__UNIQUES", "true"));
    let warnings = |environment: &[(&str, &str)]| {
        let mut command = program(directory.path());
        let output = command.args(["check", "--listen", "127.0.0.1:0"]).envs(environment.iter().copied());
        let output = output.output().expect("the program to run");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (environment, named) in [
        (&[grip, window][..], "(hits.window_without_cookies)"),
        (&[grip, uniques], "(hits.uniques)"),
        (&[grip, window, uniques], "(hits.window_without_cookies and hits.uniques)"),
    ] {
        let warned = warnings(environment);
        assert!(warned.contains(named) && warned.contains("trusted_proxies is not set"), "{warned}");
    }
    let trusted = ("LIVECOUNTER__TRUSTED_PROXIES", "127.0.0.1");
    let no_window = ("LIVECOUNTER__HITS__WINDOW", "0s");
    let no_hits = ("LIVECOUNTER__HITS__ENABLED", "false");
    for environment in [
        &[grip][..],
        &[window, uniques],
        &[grip, uniques, trusted],
        &[grip, window, no_window],
        &[grip, uniques, no_hits],
    ] {
        let warned = warnings(environment);
        assert!(!warned.contains("trusted_proxies"), "{environment:?}: {warned}");
    }
}

#[test]
fn an_address_in_use_is_said_with_status_1() {
    let (_listener, address) = taken();
    let output = output(&[], &["--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with(&format!("livecounter: cannot listen on {address}: ")), "{error}");
    assert_eq!(error.matches("in use").count(), 1, "{error}");
    assert!(error.ends_with("; --listen chooses another address\n"), "{error}");
}

#[tokio::test]
async fn whatever_the_umask_is_the_files_are_their_owners_alone() {
    for umask in ["000", "022", "277", "777"] {
        let directory = tempfile::tempdir().expect("a directory");
        let program = Program::start_behind(&format!("umask {umask}"), directory.path());
        program.add("2").await;
        let files = std::fs::read_dir(directory.path()).expect("the directory");
        let mut modes: Vec<(String, u32)> = files
            .map(|file| {
                let file = file.expect("a file");
                let mode = file.metadata().expect("its mode").permissions().mode() & 0o777;
                (file.file_name().to_string_lossy().into_owned(), mode)
            })
            .collect();
        modes.sort();
        let expected = ["", "-lock", "-shm", "-wal"].map(|suffix| (format!("livecounter.db{suffix}"), 0o600));
        assert_eq!(modes, expected, "umask {umask}");
    }
}

#[tokio::test]
async fn refused_signatures_are_all_counted_and_logged_once_for_each_reason() {
    let (directory, redis) = (tempfile::tempdir().expect("a directory"), RedisServer::start());
    let url = redis.url();
    let mut program = Program::start(directory.path(), &[("REDIS_URL", &url), ("GRIP_URL", GRIP_URL)]);
    // An origin whose clock is an hour and a minute ahead sees Pushpin's signatures like this.
    let expired = hs256(SECRET, &claims("pushpin", -60));
    let forged = hs256("another key", &claims("pushpin", 60));
    let signatures = [Some(expired.as_str()), Some(&forged), Some("x"), None];
    for _ in 0..20 {
        for signature in signatures {
            let mut request = client().get(program.url("/counters/2/")).header("accept", "text/event-stream");
            if let Some(signature) = signature {
                request = request.header("grip-sig", signature);
            }
            assert_eq!(request.answer().await.status(), 501);
        }
    }
    let metrics = program.metrics().await;
    for (reason, count) in [("missing", 20), ("invalid", 40), ("issuer", 0), ("expired", 20)] {
        let line = format!("livecounter_grip_signatures_refused_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
    program.signal("-TERM");
    let log = program.rest_of_log();
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
    for line in program.rest_of_log().lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(entry["level"].is_string() && entry["message"].is_string(), "{line}");
        lines += 1;
    }
    assert!(lines > 0, "the end is logged");
}

#[test]
fn only_a_terminal_gets_a_line_that_says_how_to_try_the_service() {
    let directory = tempfile::tempdir().expect("a directory");
    // `script` gives the program a terminal, and ends it when the test kills `script`.
    let binary = env!("CARGO_BIN_EXE_livecounter");
    let mut terminal = Command::new("script");
    terminal.args([
        "--quiet",
        "--flush",
        "--command",
        &format!("exec {binary} --listen 127.0.0.1:0"),
        "/dev/null",
    ]);
    terminal
        .current_dir(directory.path())
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = terminal.spawn().expect("script, of the package bsdutils");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let shown: Vec<String> = lines.take(2).collect();
    child.kill().expect("script ends");
    child.wait().expect("script has ended");
    assert!(shown[0].contains("serving http://127.0.0.1:"), "{shown:?}");
    assert!(shown[1].contains("to try it: curl -X POST http://127.0.0.1:"), "{shown:?}");

    let elsewhere = tempfile::tempdir().expect("a directory");
    let mut program = Program::start(elsewhere.path(), &[]);
    program.signal("-TERM");
    let log = program.rest_of_log();
    assert!(!log.contains("to try it"), "{log}");
}
