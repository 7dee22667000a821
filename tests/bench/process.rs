//! Starts and ends other programs. Each program runs in a process group of its own and may open enough files. When its handle
//! is dropped, the program is killed with all its descendants; when this process dies, the program gets SIGTERM.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::usage;

/// The limit for programs where the hard limit is higher. No program here needs more, and some visit all possible
/// descriptors when they start.
const MOST_OPEN_FILES: u64 = 65_536;

/// The path of a program. The error names the Debian package that has it.
pub(crate) fn locate(program: &str, package: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
        .ok_or_else(|| anyhow!("{program} is not installed: apt-get install {package}"))
}

/// How many files a program that is started here may open.
pub(crate) fn open_files() -> Result<u64> {
    let limits = fs::read_to_string("/proc/self/limits").context("/proc/self/limits")?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(4)).context("no limit of open files")?;
    Ok(if hard == "unlimited" { MOST_OPEN_FILES } else { hard.parse::<u64>()?.min(MOST_OPEN_FILES) })
}

/// Fails unless this process may open enough files for so many listeners at once.
pub(crate) fn enough_open_files(listeners: usize) -> Result<()> {
    let (has, needs) = (open_files()?, 2 * listeners as u64 + 1_000);
    if has < needs {
        bail!(
            "{listeners} listeners need {needs} open files, the hard limit is {has}: raise it (ulimit -Hn)"
        );
    }
    Ok(())
}

/// A port of 127.0.0.1 on which no program listens, from below the range of outgoing connections.
pub(crate) fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id() as u16 % 50 * 200;
    for _ in 0..2_000 {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on 127.0.0.1")
}

/// Polls until the condition holds. Fails after `limit`; the error has `what`.
pub(crate) fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !condition() {
        if Instant::now() > deadline {
            bail!("waited {limit:?} in vain for {what}");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The command that runs a program in a process group of its own, with raised limits and a clean environment.
pub(crate) fn command(program: &Path) -> Result<Command> {
    let mut command = Command::new(locate("setpriv", "util-linux")?);
    command
        .args(["--pdeathsig", "TERM", "sh", "-c", "ulimit -n \"$1\"; shift; exec \"$@\"", "sh"])
        .arg(open_files()?.to_string())
        .arg(program)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .process_group(0);
    Ok(command)
}

/// A child process. It is killed with its descendants when this value is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Each descendant is killed by its id as well, as Pushpin puts its children into process groups of their own.
        let mut victims: Vec<String> = usage::tree(self.id()).iter().map(u32::to_string).collect();
        if let Ok(None) = self.0.try_wait() {
            victims.insert(0, format!("-{}", self.id()));
        }
        if !victims.is_empty() {
            let script = "kill -s KILL -- \"$@\" 2>/dev/null";
            let _ = Command::new("sh").args(["-c", script, "sh"]).args(&victims).status();
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server and its log.
pub(crate) struct Server {
    name: &'static str,
    running: Running,
    log: PathBuf,
}

impl Server {
    /// Starts a program whose output goes to a log in `directory`.
    pub(crate) fn start<A: AsRef<OsStr>>(
        name: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, String)],
        directory: &Path,
    ) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("{}", log.display()))?;
        let child = command(program)?
            .args(arguments)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Server { name, running: Running(child), log })
    }

    /// Waits until the server serves. If the server ends or takes longer than 15 s, the error has the end of its log.
    pub(crate) fn ready(mut self, mut serves: impl FnMut() -> bool) -> Result<Self> {
        let name = self.name;
        let mut ended = None;
        let waited = wait_until(&format!("{name} to serve"), Duration::from_secs(15), || {
            ended = self.running.0.try_wait().ok().flatten();
            ended.is_some() || serves()
        });
        match (waited, ended) {
            (Ok(()), None) => Ok(self),
            (_, Some(status)) => bail!("{name} ended ({status}): {}", self.log_end()),
            (Err(error), None) => bail!("{error}: {}", self.log_end()),
        }
    }

    /// The id of the process; its descendants belong to the server, too.
    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }
}
