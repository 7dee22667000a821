//! What the settings must pass before anything is opened.

use std::sync::Arc;

use super::StartError;
use super::mode::mode;
use super::parts::{StoreKind, endpoints, publisher, purger, verifier, warn_of_missing_limits};
use super::server::Capacity;
use crate::fastly::Purger;
use crate::grip::{Endpoint, Publisher};
use crate::settings::{Settings, SettingsError};

/// The parts that need no file, no listener and no connection.
pub(super) struct Checked {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) publisher: Option<Arc<Publisher>>,
    pub(super) purger: Option<Purger>,
    pub(super) capacity: Capacity,
}

impl Checked {
    pub(super) fn of(settings: &Settings) -> Result<Self, SettingsError> {
        let endpoints = endpoints(settings)?;
        let publisher = publisher(settings, &endpoints)?;
        let purger = purger(settings)?;
        let capacity = Capacity::of(settings.connections_max, settings.workers)?;
        Ok(Checked { endpoints, publisher, purger, capacity })
    }
}

/// Which way the service would run with these settings, as [`App::mode`](super::App::mode) says it, or why it would not.
/// Opens no file and connects to nothing. What the service would warn of at its start is logged.
/// Must be called within a tokio runtime.
pub fn check(settings: &Settings) -> Result<String, StartError> {
    let checked = Checked::of(settings).and_then(|checked| StoreKind::check(settings).map(|()| checked));
    let Checked { endpoints, purger, .. } = checked.map_err(|error| settings.locate(error))?;
    verifier(&endpoints);
    warn_of_missing_limits(settings, settings.listen);
    Ok(mode(settings, &endpoints, purger.as_ref()))
}
