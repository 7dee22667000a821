//! The command `livecounter verify`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use livecounter::domain::CounterId;
use livecounter::verify::{Base, ClientKey, VerifyPlan, verify};

use super::task::{fail, print, refuse};

/// The variable that may hold the key.
const KEY: &str = "LIVECOUNTER_VERIFY_KEY";
/// A longer file holds no key, in bytes.
const LONGEST_KEY: u64 = 4096;

/// Check a running service from outside, through all proxies and caches in front of it
///
/// The command reads a counter, listens to it over two streams and adds 1 to it twice, and prints a line for each check: ok, failed with
/// what is likely wrong, or skipped. The exit status is 0 if no check failed and 1 otherwise. Where adding needs a key, name a file with
/// --key-file, or set the variable LIVECOUNTER_VERIFY_KEY.
#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(super) struct Verify {
    /// The address of the service as its users write it, such as https://counters.example.com/
    #[arg(value_name = "URL")]
    pub(super) url: String,
    /// The counter that is read and added to
    #[arg(long, value_name = "ID", default_value = "verify")]
    pub(super) counter: CounterId,
    /// Leave out the checks that add
    #[arg(long)]
    pub(super) read_only: bool,
    /// Add with the key or the ticket in this file
    #[arg(long, value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
    /// How long one step may take, from 1s to 1m; all together may take six times as long
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub(super) timeout: Duration,
}

fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).ok();
    time.filter(|time| (Duration::from_secs(1)..=Duration::from_secs(60)).contains(time))
        .ok_or_else(|| "must be a time from 1s to 1m, such as 5s".to_owned())
}

impl Verify {
    pub(super) fn run(self) -> ExitCode {
        match self.plan() {
            Ok(plan) => check(plan),
            Err(problem) => refuse(&problem),
        }
    }

    /// Reads the address and the key. The address is not read with the other words, as an error would repeat a password in it.
    fn plan(self) -> Result<VerifyPlan, String> {
        let base: Base = self.url.parse().map_err(|error| format!("verify: {error}"))?;
        let key = match &self.key_file {
            Some(file) => Some(("--key-file".to_owned(), text_of(file)?)),
            None => variable()?.map(|text| (KEY.to_owned(), text)),
        };
        let key = key.map(|(name, text)| {
            // Editors end a file with a line break, which is not part of the secret.
            text.trim_end().parse::<ClientKey>().map_err(|error| format!("{name}: {error}"))
        });
        Ok(VerifyPlan {
            base,
            counter: self.counter,
            key: key.transpose()?,
            read_only: self.read_only,
            timeout: self.timeout,
        })
    }
}

fn text_of(file: &Path) -> Result<String, String> {
    let read = || {
        let mut text = String::new();
        File::open(file)?.take(LONGEST_KEY).read_to_string(&mut text).map(|_| text)
    };
    read().map_err(|error: std::io::Error| format!("--key-file: cannot read {}: {error}", file.display()))
}

/// The key in the environment. An empty variable counts as not set.
fn variable() -> Result<Option<String>, String> {
    let text = std::env::var_os(KEY).filter(|text| !text.is_empty()).map(|text| text.into_string());
    text.transpose().map_err(|_| format!("{KEY}: is not UTF-8"))
}

fn check(plan: VerifyPlan) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot wait for answers: {error}")),
    };
    let checked = runtime.block_on(verify(plan, |line| print(&format!("{line}\n"))));
    // Looking up a name has no bound of its own.
    runtime.shutdown_background();
    match checked {
        Ok(totals) => {
            print(&format!("{totals}\n"));
            if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => fail(&problem),
    }
}
