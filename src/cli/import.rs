//! The command `livecounter import`.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use livecounter::app::{self, HitCounterPages, ImportError, ImportMode, ImportOptions, StartError};
use livecounter::settings::Settings;

use super::flags::Flags;
use super::task::{print, refuse, with_settings};

/// Set counters, pages and sites to the values and the pasts of an export, or add these values
///
/// The input has a line for each counter, such as {"id":"2","value":26}, or what CountAPI answers, such as
/// {"namespace":"site","key":"visits","value":26}, or a page or a site, such as {"page":"https://example.com/a","value":26} and
/// {"site":"example.com","value":52}, or an event of a feed; or it is the SQLite file of the hit-counter with the table url, which is only read. Nothing is stored
/// unless every line can be used. Counters that the input does not name stay as they are. The command writes to Redis beside running origins, and to a file that no process has open.
#[derive(clap::Args, Debug, PartialEq, Eq)]
#[command(mut_arg("listen", |listen| listen.hide(true)))]
#[command(group(clap::ArgGroup::new("mode").args(["set", "add"]).required(true)))]
pub(super) struct Import {
    /// The file to read; standard input if it is missing or -
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Set each counter to its value
    #[arg(long)]
    pub(super) set: bool,
    /// Add each value to its counter; the same input is added once, however often the command is repeated
    #[arg(long)]
    pub(super) add: bool,
    /// Add an input that was added before once more, as the import of this name
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, conflicts_with = "set")]
    pub(super) import_id: String,
    /// Only check the input; nothing is stored
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) flags: Flags,
}

impl Import {
    pub(super) fn run(self) -> ExitCode {
        let file = self.file.as_deref().filter(|file| *file != Path::new("-"));
        if file.is_none() && io::stdin().is_terminal() {
            return refuse(
                "import reads a file or standard input: name a FILE, or send the lines through a pipe",
            );
        }
        with_settings(&self.flags, async |settings| self.import(&settings, file).await)
    }

    async fn import(&self, settings: &Settings, file: Option<&Path>) -> anyhow::Result<()> {
        let (mut input, pages) = self.open(file)?;
        let mode = if self.set { ImportMode::Set } else { ImportMode::Add };
        let options = ImportOptions { mode, dry_run: self.dry_run, name: &self.import_id };
        let progress = |count: u64| {
            if io::stderr().is_terminal() {
                let _ = writeln!(io::stderr(), "{count} lines stored");
            }
        };
        match app::import(settings, &mut input, options, progress).await {
            Ok(done) => {
                print(&format!("{done}\n"));
                print(&pages.as_ref().map(left_out).unwrap_or_default());
                Ok(())
            }
            Err(ImportError::Settings(error)) => Err(StartError::Settings(error).into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the input. It is read twice, so an input that can be read only once is copied to a temporary file, which has no name. What
    /// is read of an SQLite file is written to such a file, too.
    fn open(&self, file: Option<&Path>) -> anyhow::Result<(File, Option<HitCounterPages>)> {
        let Some(path) = file else { return Ok((copy(&mut io::stdin().lock())?, None)) };
        let cannot_read = || format!("cannot read {}", path.display());
        let mut input = File::open(path).with_context(cannot_read)?;
        let kind = input.metadata().with_context(cannot_read)?.file_type();
        if kind.is_dir() {
            anyhow::bail!("cannot read {}: it is a directory", path.display());
        }
        if !kind.is_file() {
            return Ok((copy(&mut input)?, None));
        }
        let mut beginning = Vec::new();
        (&mut input).take(16).read_to_end(&mut beginning).with_context(cannot_read)?;
        input.rewind().with_context(cannot_read)?;
        if !app::is_sqlite(&beginning) {
            return Ok((input, None));
        }
        if self.set {
            anyhow::bail!(
                "the pages of {} can only be added, as their sites count along: use --add",
                path.display()
            );
        }
        let (mut lines, cannot_copy) = temporary()?;
        let pages = app::write_hit_counter_pages(path, &mut BufWriter::new(&mut lines))?;
        lines.rewind().with_context(|| cannot_copy)?;
        if pages.lines == 0 {
            anyhow::bail!("nothing is stored: {} names no page", path.display());
        }
        Ok((lines, Some(pages)))
    }
}

/// The line that says which texts of the hit-counter's table name no page; empty if there are none.
fn left_out(pages: &HitCounterPages) -> String {
    let HitCounterPages { left_out, first_left_out, .. } = pages;
    if *left_out == 0 {
        String::new()
    } else {
        format!("texts that name no page, and are left out: {left_out}, such as {first_left_out:?}\n")
    }
}

fn copy(input: &mut impl io::Read) -> anyhow::Result<File> {
    let (mut copy, cannot_copy) = temporary()?;
    io::copy(input, &mut copy).and_then(|_| copy.rewind()).with_context(|| cannot_copy)?;
    Ok(copy)
}

/// A temporary file without a name, and what is to be said if it cannot be written.
fn temporary() -> anyhow::Result<(File, String)> {
    let directory = std::env::temp_dir();
    let cannot_copy = format!("cannot copy the input to a temporary file in {}", directory.display());
    let file = tempfile::tempfile_in(&directory).with_context(|| cannot_copy.clone())?;
    Ok((file, cannot_copy))
}
