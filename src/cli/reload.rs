//! Reads the keys of the configuration file again at each SIGHUP.

use std::sync::Arc;

use livecounter::access::Access;
use tokio::signal::unix::Signal;

use super::flags::Flags;
use super::task::load;

/// Loads the settings again at each SIGHUP and replaces the keys. If a setting cannot be used, the keys stay as they are, and one line of
/// the log says why. Changes to other settings take effect at the next start.
pub(super) async fn reload_keys(mut hangup: Signal, flags: Flags, access: Arc<Access>) {
    while hangup.recv().await.is_some() {
        match load(&flags) {
            Ok(settings) => {
                let keys = settings.access.keys.len();
                access.replace_keys(settings.access.keys);
                tracing::info!(keys, "SIGHUP: the keys have been read again; there are {keys} now");
            }
            Err(error) => tracing::error!("SIGHUP: the keys stay as they are: {error}"),
        }
    }
}
