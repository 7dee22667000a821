//! The command `livecounter export`.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use livecounter::app::{self, ExportError, ExportOptions, StartError};
use livecounter::settings::Settings;

use super::flags::Flags;
use super::task::with_settings;

/// Write all counters, pages, sites, entities and events of feeds as lines of JSON
///
/// The command reads from Redis while origins run, but from a database file only while no other process has it open.
#[derive(clap::Args, Debug, PartialEq, Eq)]
#[command(mut_arg("listen", |listen| listen.hide(true)))]
pub(super) struct Export {
    /// Export only the counters whose ids begin with this text, and no pages, sites, entities and events
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(super) prefix: String,
    /// Leave out the hours and days of counters, pages and sites, so that two exports of the same values are equal
    #[arg(long)]
    pub(super) without_past: bool,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) flags: Flags,
}

impl Export {
    pub(super) fn run(self) -> ExitCode {
        let options = ExportOptions { prefix: &self.prefix, without_past: self.without_past };
        with_settings(&self.flags, async |settings| match &self.output {
            Some(path) => to_file(&settings, options, path).await,
            None => match export(&settings, options, &mut BufWriter::new(io::stdout())).await {
                // The reader has stopped reading, as `head` does.
                Err(error) if is_broken_pipe(&error) => Ok(()),
                exported => exported,
            },
        })
    }
}

/// Writes to a file with `.part` behind its name, then renames it, so that an export that fails does not change the file.
async fn to_file(settings: &Settings, options: ExportOptions<'_>, path: &Path) -> anyhow::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let mut output = BufWriter::new(File::create(&part)?);
    let written = export(settings, options, &mut output).await;
    let written = written.and_then(|()| Ok(output.get_ref().sync_all()?));
    let written = written.and_then(|()| Ok(std::fs::rename(&part, path)?));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let output = error.downcast_ref::<ExportError>();
    matches!(output, Some(ExportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe)
}

async fn export(
    settings: &Settings,
    options: ExportOptions<'_>,
    output: &mut impl Write,
) -> anyhow::Result<()> {
    let progress = |count: u64| {
        if io::stderr().is_terminal() {
            let _ = writeln!(io::stderr(), "{count} lines written");
        }
    };
    match app::export(settings, options, output, progress).await {
        Ok(exported) => {
            let left_out = exported.without_address;
            if left_out > 0 {
                let _ = writeln!(
                    io::stderr(),
                    "livecounter: pages left out, as the store does not have their addresses before their next hit: {left_out}"
                );
            }
            Ok(())
        }
        Err(ExportError::Settings(error)) => Err(StartError::Settings(error).into()),
        Err(error) => Err(error.into()),
    }
}
