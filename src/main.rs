//! The program: settings, logs, signals. The command line is in [`cli`], everything else in the library.

mod cli;

use std::io::Write;
use std::process::ExitCode;

use cli::{Command, Flags};
use livecounter::app::{self, App, ParseDayError, PruneError, StartError};
use livecounter::settings::{Settings, SettingsError, environment};
use livecounter::telemetry;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// A seventh less CPU time a POST than with the system's allocator (make bench, POST on one hot counter).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Command::Serve(flags)) => with_settings(&flags, run),
        Ok(Command::Check(flags)) => with_settings(&flags, async |settings| {
            print(&format!("the settings can be used: {}\n", app::check(&settings)?));
            Ok(())
        }),
        Ok(Command::Prune(flags, prune)) => match prune.before.parse() {
            Ok(before) => with_settings(&flags, async |settings| {
                let progress = |text: &str| drop(writeln!(std::io::stderr(), "{text}"));
                let pruned = app::prune(&settings, before, prune.remove, progress).await;
                let pruned = pruned.map_err(|error| match error {
                    PruneError::Settings(error) => StartError::Settings(error).into(),
                    error => anyhow::Error::from(error),
                });
                print(&format!("{}\n", pruned?));
                Ok(())
            }),
            Err(problem) => refuse(&format!("--before: {}", ParseDayError::to_string(&problem))),
        },
        Ok(Command::Print(text)) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(problem) => refuse(&problem.to_string()),
    }
}

/// Does something with the settings, once there is a log for what happens.
fn with_settings(flags: &Flags, task: impl AsyncFnOnce(Settings) -> anyhow::Result<()>) -> ExitCode {
    let settings = environment(std::env::vars_os()).and_then(|environment| {
        Settings::load(flags.config.as_deref(), environment, flags.listen.as_deref())
    });
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return refuse(&error.to_string()),
    };
    telemetry::init(settings.log_format);
    raise_open_files();
    match actix_web::rt::System::new().block_on(task(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<StartError>() {
            Some(StartError::Settings(SettingsError { .. })) => refuse(&error.to_string()),
            _ => {
                let _ = writeln!(std::io::stderr(), "livecounter: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes()); // nobody reads: nothing to do about it
}

/// Each connection is an open file. Many systems give a program 1,024 to begin with, and far more if it asks.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!("the limit of open files stays as it is: {error}");
    }
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    let app = App::build(&settings)?;
    let stop = app.stop_handle();
    // Before it is said that the service is there: who reads that may end it at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (address, mode, version) = (app.address(), app.mode(), env!("CARGO_PKG_VERSION"));
    tracing::info!(%address, version, "serving http://{address}/: {mode}; version {version}");
    if let Some(address) = app.ops_address() {
        tracing::info!(%address, "serving operators on http://{address}/metrics, /healthz and /readyz");
    }
    actix_web::rt::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => ("SIGTERM", 128 + SignalKind::terminate().as_raw_value()),
                _ = interrupt.recv() => ("Ctrl-C", 128 + SignalKind::interrupt().as_raw_value()),
            }
        };
        let (name, _) = next().await;
        tracing::info!("{name}: finishing requests, announcing what is pending; a second one ends at once");
        actix_web::rt::spawn(async move { stop.now().await });
        let (name, status) = next().await;
        tracing::warn!("{name} once more: ending at once; what is pending stays in the outbox");
        std::process::exit(status);
    });
    if !app.run().await? {
        tracing::warn!("not everything pending could be announced; it stays in the outbox");
    }
    Ok(())
}

/// One line, and the exit status for what cannot be used.
fn refuse(problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "livecounter: {problem}");
    ExitCode::from(2)
}
