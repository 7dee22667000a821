//! The real service in this process, on a port of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use livecounter::access::{Access, Keys};
use livecounter::app::{App, Stop};
use livecounter::settings::Settings;
use tokio::sync::oneshot;

use super::server::Server;

/// The setting with which a client without a key may add any amount. Without it, the most is 1,000 at once.
pub const ANY_AMOUNT: (&str, &str) = ("LIVECOUNTER__ACCESS__AMOUNTS", "-9007199254740991..9007199254740991");

/// The running service. Dropping this value stops the service, and waits until the pending changes are announced.
pub struct TestApp {
    /// `http://127.0.0.1:PORT`
    pub address: String,
    /// The same as a socket address.
    pub addr: SocketAddr,
    stop: Option<Stop>,
    access: Arc<Access>,
    thread: Option<std::thread::JoinHandle<bool>>,
    /// The directory of the embedded store, where the test gave none.
    _directory: Option<tempfile::TempDir>,
}

impl TestApp {
    /// The service as a newcomer starts it: embedded store, in a new directory.
    pub async fn spawn() -> Self {
        Self::with(&[]).await
    }

    /// The service with these settings, written as environment variables. If they name no store, the service gets an
    /// embedded one in a new directory.
    pub async fn with(environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut app = Self::in_directory(directory.path(), environment).await;
        app._directory = Some(directory);
        app
    }

    /// The service with the settings of this file, and these.
    pub async fn with_file(file: &Path, environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut app = Self::configured(Some(file), directory.path(), environment).await;
        app._directory = Some(directory);
        app
    }

    /// The service with its embedded store in this directory.
    pub async fn in_directory(directory: &Path, environment: &[(&str, &str)]) -> Self {
        Self::configured(None, directory, environment).await
    }

    async fn configured(file: Option<&Path>, directory: &Path, environment: &[(&str, &str)]) -> Self {
        let path = directory.join("livecounter.db").display().to_string();
        let mut variables = HashMap::from([
            ("LIVECOUNTER__SQLITE__PATH".to_owned(), path),
            ("LIVECOUNTER__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("LIVECOUNTER__WORKERS".to_owned(), "2".to_owned()),
            // Without the tally, nothing changes but what a test changes.
            ("LIVECOUNTER__ADMIN__TALLY".to_owned(), "false".to_owned()),
        ]);
        variables.extend(environment.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        let settings = Settings::load(file, variables, None).expect("settings");
        // A thread with a system of its own, as `main` has one: tests run on tokio's runtime, actix on its own.
        let (ready, started) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = App::build(&settings).expect("the app to start");
                let _ = ready.send((app.address(), app.stop_handle(), app.access()));
                app.run().await.expect("the app to run")
            })
        });
        let (address, stop, access) = started.await.expect("the app to start");
        TestApp {
            address: format!("http://{address}"),
            addr: address,
            stop: Some(stop),
            access,
            thread: Some(thread),
            _directory: None,
        }
    }

    /// The URL of a counter.
    pub fn counter(&self, id: &str) -> String {
        format!("{}/counters/{id}/", self.address)
    }

    /// Replaces the keys, as SIGHUP does.
    pub fn replace_keys(&self, keys: Keys) {
        self.access.replace_keys(keys);
    }

    /// Stops the service as SIGTERM does. Returns whether everything pending was announced.
    pub async fn stop(mut self) -> bool {
        let stop = self.stop.take().expect("a running app");
        stop.now().await;
        let thread = self.thread.take().expect("a running app");
        tokio::task::spawn_blocking(move || thread.join().expect("the app's thread")).await.expect("to join")
    }
}

impl Server for TestApp {
    fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let Some(stop) = self.stop.take() else { return };
        // Another thread drives the handle's future: this thread may be a runtime's own.
        let ender = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let _ =
                runtime.block_on(async { tokio::time::timeout(Duration::from_secs(15), stop.now()).await });
        });
        let _ = ender.join();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
