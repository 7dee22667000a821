//! The steps that commands share: loading the settings, starting the log, raising the limit of open files, and the exit status.

use std::io::Write;
use std::process::ExitCode;

use livecounter::app::StartError;
use livecounter::settings::{Settings, SettingsError, environment};
use livecounter::telemetry;
use rustix::process::{self, Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::flags::Flags;

/// Loads the settings, starts the log and runs `task`. Returns 2 as the exit status if a setting or `RUST_LOG` cannot be used, 1 if
/// the task fails otherwise.
pub(super) fn with_settings(
    flags: &Flags,
    task: impl AsyncFnOnce(Settings) -> anyhow::Result<()>,
) -> ExitCode {
    let settings = match load(flags) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error.to_string()),
    };
    if let Err(error) = telemetry::init(settings.log_format) {
        return refuse(&error.to_string());
    }
    raise_open_files();
    let run = async {
        survive_file_size_limit();
        task(settings).await
    };
    match actix_web::rt::System::new().block_on(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<StartError>() {
            Some(StartError::Settings(SettingsError { .. })) => refuse(&error.to_string()),
            _ => fail(&with_causes(&error)),
        },
    }
}

/// Returns the text of an error and of its causes, but of no cause whose text the error repeats.
fn with_causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        text if text.contains(&cause) => text.to_owned(),
        text => format!("{text}: {cause}"),
    })
}

/// Loads the settings from the file, the environment and the flags.
pub(super) fn load(flags: &Flags) -> Result<Settings, SettingsError> {
    let environment = environment(std::env::vars_os())?;
    Settings::load(flags.config.as_deref(), environment, flags.listen.as_deref())
}

/// Raises the limit of open files to the system's maximum, because each connection is an open file. Many systems let a program open only
/// 1,024 files unless the program raises the limit.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!("the limit of open files stays as it is: {error}");
    }
}

/// Lets a write beyond the limit of file sizes (`ulimit -f`) fail as one on a full disk does. Without a handler, the signal SIGXFSZ would end the
/// process. The handler stays though the stream of signals is dropped. Must be called within a tokio runtime.
fn survive_file_size_limit() {
    if let Err(error) = signal(SignalKind::from_raw(process::Signal::XFSZ.as_raw())) {
        tracing::debug!("a write beyond the limit of file sizes would end the process: {error}");
    }
}

/// Writes a text to standard output.
pub(super) fn print(text: &str) {
    // If standard output is closed, the program does not fail: the reader has stopped reading, as `head` does.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Writes one line to standard error and returns the exit status of a command that failed.
pub(super) fn fail(problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "livecounter: {problem}");
    ExitCode::FAILURE
}

/// Writes one line to standard error and returns the exit status for words or settings that cannot be used.
pub(super) fn refuse(problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "livecounter: {problem}");
    ExitCode::from(2)
}
