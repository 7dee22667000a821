//! The command `livecounter export`.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use livecounter::app::{self, ExportError, ExportOptions, StartError};
use livecounter::domain::CounterId;
use livecounter::settings::Settings;

use super::flags::Flags;
use super::task::{refuse, with_settings};

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
        if let Err(error) = CounterId::check_prefix(&self.prefix) {
            return refuse(&format!("--prefix must be the beginning of ids, as plain text: {error}"));
        }
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

/// Writes to a file with `.part` behind its name, then renames it, so that an export that fails does not change the file. A file that exists keeps its
/// permissions, and what is no file, such as a pipe, is written as it is.
async fn to_file(settings: &Settings, options: ExportOptions<'_>, path: &Path) -> anyhow::Result<()> {
    let cannot_write = || format!("cannot write {}", path.display());
    let known = std::fs::metadata(path).ok();
    if known.as_ref().is_some_and(|known| !known.is_file()) {
        let output = File::options().write(true).open(path).with_context(cannot_write)?;
        return export(settings, options, &mut BufWriter::new(output)).await;
    }
    // A link stays, and what it leads to is replaced.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = write_part(settings, options, &part, known.map(|known| known.permissions())).await;
    let written = written.and_then(|()| std::fs::rename(&part, &path).with_context(cannot_write));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

/// Writes a new file, and waits until the disk has it.
async fn write_part(
    settings: &Settings,
    options: ExportOptions<'_>,
    part: &Path,
    permissions: Option<Permissions>,
) -> anyhow::Result<()> {
    let cannot_write = || format!("cannot write {}", part.display());
    let mut output = BufWriter::new(File::create(part).with_context(cannot_write)?);
    if let Some(permissions) = permissions {
        output.get_ref().set_permissions(permissions).with_context(cannot_write)?;
    }
    export(settings, options, &mut output).await?;
    output.get_ref().sync_all().with_context(cannot_write)
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
