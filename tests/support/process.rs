//! A server as a child process, with a directory of its own, a log that is shown when its test fails, and no child left behind.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to answer. Generous: the machine may be building at the same time.
const STARTUP: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// A running server. Dropping this value kills the server and all processes that it has started; a failed test shows the log.
pub struct Process {
    name: &'static str,
    child: Child,
    dir: TempDir,
}

impl Process {
    /// Starts `command` with `dir` as its working directory; stdout and stderr go to `dir/log`.
    pub fn start(name: &'static str, command: &mut Command, dir: TempDir) -> Process {
        let log = File::create(dir.path().join("log")).expect("a log file");
        let child = command
            .current_dir(dir.path())
            .env("PATH", search_path())
            .env("LIVECOUNTER_TEST_SERVER", dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log file again"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("{name} does not start: {e}"));
        Process { name, child, dir }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Polls until `ready` says so. Panics with the log if the server ends or takes too long.
    pub async fn until<F: Future<Output = bool>>(&mut self, ready: impl Fn() -> F) {
        let started = Instant::now();
        while !ready().await {
            if let Some(status) = self.child.try_wait().expect("the child's status") {
                panic!("{} has ended ({status}):\n{}", self.name, self.log());
            }
            assert!(started.elapsed() < STARTUP, "{} does not answer:\n{}", self.name, self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks the server to end (`SIGTERM`) and waits for its end. Panics with the log if that takes too long.
    pub async fn terminate(&mut self, within: Duration) -> ExitStatus {
        self.signal("TERM");
        self.ended(within).await
    }

    /// Waits until the server ends. Panics with the log if that takes too long.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child's status") {
                return status;
            }
            assert!(started.elapsed() < within, "{} does not end:\n{}", self.name, self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    /// Sends a signal (`TERM`, `STOP`, …) to the server and everything it has started.
    pub fn signal(&self, signal: &str) {
        let family: Vec<String> = self.family().iter().map(u32::to_string).collect();
        // The shell's own `kill`: Rust has no safe call for it, and so no other program is needed.
        let kill = format!("kill -{signal} {}", family.join(" "));
        let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    }

    /// Sends a signal to one of the programs that the server has started.
    pub fn signal_part(&self, program: &str, signal: &str) {
        let is_part = |id: &u32| {
            let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            command.split(|&b| b == 0).next().is_some_and(|path| path.ends_with(program.as_bytes()))
        };
        let part = self.family().into_iter().find(is_part).expect("a program of the server's");
        let status = Command::new("sh").args(["-c", &format!("kill -{signal} {part}")]).status();
        assert!(status.expect("a shell").success());
    }

    /// The server and the processes that it has started. They are found by descent, and by the mark in the environment, which
    /// a process still has when its parent has ended. The process group does not find them, as Pushpin gives each of its parts a group
    /// of its own.
    fn family(&self) -> Vec<u32> {
        let mark = mark(self.dir.path());
        let processes: Vec<(u32, u32)> = fs::read_dir("/proc")
            .expect("the processes")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|id| Some((id, parent(id)?)))
            .collect();
        let mut family = vec![self.id()];
        let marked = |id: u32| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|&b| b == 0).any(|variable| variable == mark.as_bytes())
        };
        family.extend(processes.iter().map(|&(id, _)| id).filter(|&id| id != self.id() && marked(id)));
        let mut next = 0;
        while let Some(&id) = family.get(next) {
            let children =
                processes.iter().filter(|&&(child, parent)| parent == id && !family.contains(&child));
            family.extend(children.map(|&(child, _)| child).collect::<Vec<_>>());
            next += 1;
        }
        family
    }
}

/// The memory of a process now, in KiB.
pub fn resident_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its resident memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The environment variable that marks the server of this directory and all processes that the server starts.
fn mark(dir: &Path) -> String {
    format!("LIVECOUNTER_TEST_SERVER={}", dir.display())
}

/// The parent of a process; None when it has ended.
fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // "id (name) state parent …"; the name may contain any character, parentheses too.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {} ---\n{}--- end ---", self.name, self.log());
        }
    }
}

/// A new directory with a short name: the names of unix sockets in it have 107 bytes.
pub fn directory() -> TempDir {
    tempfile::Builder::new().prefix("lc-").tempdir().expect("a temporary directory")
}

/// A file of this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Panics with the line that installs the program if the program is missing.
pub fn require(program: &str, packages: &str) {
    let found = std::env::split_paths(&search_path()).any(|dir| dir.join(program).is_file());
    assert!(
        found,
        "{program} is not installed; install it with: sudo apt-get install -y {packages} (or: make deps)"
    );
}

/// Servers may be in /usr/sbin, which is not on every user's path.
fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    [path.as_str(), "/usr/sbin", "/sbin"].join(":")
}
