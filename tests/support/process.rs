//! A server of somebody else's as a child process: own directory, own process group, log kept for failures.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to answer. Generous: the machine may be building at the same time.
const STARTUP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// A running server; dropped, it is killed with all its children, and in a failed test its log is shown.
pub struct Process {
    name: &'static str,
    child: Child,
    dir: TempDir,
}

impl Process {
    /// Starts `command` with `dir` as its working directory; what it writes to stdout and stderr goes to `dir/log`.
    pub fn start(name: &'static str, command: &mut Command, dir: TempDir) -> Process {
        let log = File::create(dir.path().join("log")).expect("a log file");
        let child = command
            .current_dir(dir.path())
            .env("PATH", search_path())
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

    /// Polls until `ready` says so. Panics with the log when the server ends or takes too long.
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

    /// Sends a signal (`TERM`, `STOP`, …) to the server and all its children.
    pub fn signal(&self, signal: &str) {
        // The shell's own kill: there is no safe call for it, and no other program is needed.
        let group = format!("kill -{signal} -- -{}", self.id());
        let _ = Command::new("sh").args(["-c", &group]).stderr(Stdio::null()).status();
    }
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

/// Panics with the line that installs it when a program is missing.
pub fn require(program: &str, packages: &str) {
    let found = std::env::split_paths(&search_path()).any(|dir| dir.join(program).is_file());
    assert!(
        found,
        "{program} is not installed; install it with: sudo apt-get install -y {packages} (or: make deps)"
    );
}

/// Servers may live in /usr/sbin, which is not on everybody's path.
fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    [path.as_str(), "/usr/sbin", "/sbin"].join(":")
}
