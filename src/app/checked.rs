//! What the settings must pass before a file, a socket or a connection is opened.

use std::net::SocketAddr;
use std::sync::Arc;

use super::error::StartError;
use super::mode::mode;
use super::outlets::{endpoints, publisher, purger, verifier};
use super::server::Capacity;
use super::store_source::StoreSource;
use crate::fastly::Purger;
use crate::grip::{Endpoint, Publisher};
use crate::settings::{Settings, SettingsError};

/// The parts that need no file, no socket and no connection.
pub(super) struct CheckedParts {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) publisher: Option<Arc<Publisher>>,
    pub(super) purger: Option<Purger>,
    pub(super) capacity: Capacity,
}

impl CheckedParts {
    pub(super) fn of(settings: &Settings) -> Result<Self, SettingsError> {
        let endpoints = endpoints(settings)?;
        let publisher = publisher(settings, &endpoints)?;
        let purger = purger(settings)?;
        let capacity = Capacity::of(settings.connections_max, settings.workers)?;
        Ok(CheckedParts { endpoints, publisher, purger, capacity })
    }
}

/// How the service would run with these settings, in the words of [`App::mode`](super::App::mode), or why it would not.
/// Opens no file and connects to nothing. Logs the warnings that the service would log at its start.
/// Must be called within a tokio runtime.
pub fn check(settings: &Settings) -> Result<String, StartError> {
    let checked =
        CheckedParts::of(settings).and_then(|checked| StoreSource::check(settings).map(|()| checked));
    let CheckedParts { endpoints, purger, .. } = checked.map_err(|error| settings.locate(error))?;
    verifier(&endpoints);
    warn_of_missing_limits(settings, settings.listen);
    warn_of_missing_keys(settings);
    Ok(mode(settings, &endpoints, purger.as_ref()))
}

/// Warns that any client may take all of the service if there are no limits and the address is a public one.
pub(super) fn warn_of_missing_limits(settings: &Settings, address: SocketAddr) {
    if settings.limits.are_off() && !address.ip().to_canonical().is_loopback() {
        tracing::warn!(
            "listening on {address}, which is not a loopback address, with no limit on what one client may take: \
             see docs/your-site.md"
        );
    }
}

/// Warns that no client may write if a key is needed and there is neither a key nor a way to check tickets.
pub(super) fn warn_of_missing_keys(settings: &Settings) {
    let access = &settings.access;
    if !access.write.are_open() && access.keys.is_empty() && access.tickets.is_none() {
        tracing::warn!(
            "access.write asks for a key, but there are neither keys nor access.ticket_key: no client may write there; \
             make a key with livecounter key new"
        );
    }
}
