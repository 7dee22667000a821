//! The command `livecounter serve`.

use std::io::IsTerminal;
use std::process::ExitCode;

use livecounter::app::{App, Stop};
use livecounter::settings::Settings;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::flags::Flags;
use super::reload::reload_keys;
use super::task::with_settings;

/// Run the service (the default command)
#[derive(clap::Args, Debug, Default, PartialEq, Eq)]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) flags: Flags,
}

impl Serve {
    pub(super) fn run(self) -> ExitCode {
        with_settings(&self.flags, async |settings| serve(&settings, &self.flags).await)
    }
}

async fn serve(settings: &Settings, flags: &Flags) -> anyhow::Result<()> {
    let app = App::build(settings)?;
    // The program handles signals before the log says that the service runs: a supervisor that waits for this line may send a signal at
    // once.
    let signals = Signals::new()?;
    // Without a configuration file there is nothing to read again. Then SIGHUP ends the process, as when a terminal closes.
    if flags.config.is_some() {
        let hangup = signal(SignalKind::hangup())?;
        actix_web::rt::spawn(reload_keys(hangup, flags.clone(), app.access()));
    }
    let (address, mode, version) = (app.address(), app.mode(), env!("CARGO_PKG_VERSION"));
    tracing::info!(%address, version, "serving http://{address}/: {mode}; version {version}");
    // A person who tries the service on this machine reads the log in a terminal.
    if address.ip().is_loopback() && std::io::stderr().is_terminal() {
        tracing::info!(
            "to try it: curl -X POST http://{address}/counters/2/ adds 1, http://{address}/ in a browser shows it, \
             http://{address}/admin shows what the service does; Ctrl-C ends it"
        );
    }
    if let Some(address) = app.ops_address() {
        tracing::info!(%address, "serving operators on http://{address}/metrics, /healthz and /readyz");
    }
    actix_web::rt::spawn(stop_at_a_signal(signals, app.stop_handle()));
    if !app.run().await? {
        tracing::warn!("not everything pending could be announced; it stays in the outbox");
    }
    Ok(())
}

/// Stops the service at the first signal, and ends the process at the second.
async fn stop_at_a_signal(mut signals: Signals, stop: Stop) {
    let (name, _) = signals.next().await;
    tracing::info!(
        "{name}: finishing requests, announcing pending changes; a second signal ends the process at once"
    );
    actix_web::rt::spawn(async move { stop.now().await });
    let (name, status) = signals.next().await;
    tracing::warn!("{name} is the second signal: ending at once; pending changes stay in the outbox");
    std::process::exit(status);
}

/// The signals that end the service.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Signals { terminate: signal(terminate)?, interrupt: signal(interrupt)? })
    }

    /// Waits for a signal. Returns the name of the signal and the exit status of a process that the signal ends.
    async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", 128 + SignalKind::terminate().as_raw_value()),
            _ = self.interrupt.recv() => ("Ctrl-C", 128 + SignalKind::interrupt().as_raw_value()),
        }
    }
}
