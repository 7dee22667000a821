//! The command `livecounter prune`.

use std::io::Write;
use std::process::ExitCode;

use livecounter::app::{self, Day, ParseDayError, PruneError, StartError};
use livecounter::settings::Settings;

use super::flags::Flags;
use super::task::{print, refuse, with_settings};

/// Count the counters that have not changed since a day; remove them with --yes
///
/// The command works on Redis while origins run, but on a database file only while no other process has it open.
#[derive(clap::Args, Debug, PartialEq, Eq)]
#[command(mut_arg("listen", |listen| listen.hide(true)))]
pub(super) struct Prune {
    /// The counters that have not changed since 0:00 UTC of this day, such as 2026-01-31
    #[arg(long, value_name = "DATE")]
    pub(super) before: String,
    /// Only count (the default)
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Remove the counters from the store
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) flags: Flags,
}

impl Prune {
    pub(super) fn run(self) -> ExitCode {
        let before: Result<Day, ParseDayError> = self.before.parse();
        match before {
            Ok(before) => {
                with_settings(&self.flags, async |settings| prune(&settings, before, self.yes).await)
            }
            Err(problem) => refuse(&format!("--before: {problem}")),
        }
    }
}

async fn prune(settings: &Settings, before: Day, remove: bool) -> anyhow::Result<()> {
    let progress = |text: &str| drop(writeln!(std::io::stderr(), "{text}"));
    let pruned = app::prune(settings, before, remove, progress).await;
    let pruned = pruned.map_err(|error| match error {
        PruneError::Settings(error) => StartError::Settings(error).into(),
        error => anyhow::Error::from(error),
    })?;
    print(&format!("{pruned}\n"));
    Ok(())
}
