//! Starts and ends the tally of the service's own traffic.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::store_source::StoreSource;
use crate::announcer::Announcer;
use crate::http::{Traffic, keep_tally, write_tally};
use crate::live::Live;
use crate::settings::Settings;

/// How long a stopping service waits for the store to take the last tally.
const LAST_WITHIN: Duration = Duration::from_secs(2);

/// Returns whether the tally is written: as the setting says, or else where the machine itself is the administrator of a service on its own.
pub(super) fn is_on(settings: &Settings) -> bool {
    let is_new = settings.access.keys.is_empty()
        && settings.access.tickets.is_none()
        && settings.listen.ip().to_canonical().is_loopback()
        && settings.redis_url.is_none()
        && settings.grip_url.is_none()
        && settings.fastly_service_id.is_none();
    settings.admin_tally.unwrap_or(is_new)
}

/// Writes the tally while the service runs.
pub(super) struct TallyWriter {
    traffic: Arc<Traffic>,
    live: Arc<Live>,
}

impl TallyWriter {
    /// Starts to write the tally once a second. Must be called within a tokio runtime.
    pub(super) fn start(store: &StoreSource, announcer: &Announcer, traffic: &Arc<Traffic>) -> Self {
        let live = Arc::new(Live::new(store.open_connection(), announcer.clone()));
        tokio::spawn(keep_tally(Arc::downgrade(traffic), Arc::clone(&live)));
        TallyWriter { traffic: Arc::clone(traffic), live }
    }

    /// Writes what was counted last.
    pub(super) async fn finish(&self) {
        self.traffic.end_second();
        // What a store that is away does not take is lost with the process.
        let _ = timeout(LAST_WITHIN, write_tally(&self.traffic, &self.live)).await;
    }
}
