//! Checks the settings before the service opens a file, a socket or a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use super::error::StartError;
use super::mode::mode;
use super::outlets::{endpoints, publisher, purger, verifier};
use super::public::{Missing, missing};
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

/// Returns how the service would run with these settings, in the words of [`App::mode`](super::App::mode), or the error that would stop its
/// start. Opens no file and connects to nothing. Logs the warnings that the service would log at its start. Must be called within a tokio
/// runtime.
pub fn check(settings: &Settings) -> Result<String, StartError> {
    let CheckedParts { endpoints, purger, .. } = checked_parts(settings)?;
    verifier(&endpoints);
    warn_of_missing_settings(settings, settings.listen, &endpoints);
    warn_of_missing_keys(settings);
    warn_of_unknown_visitors(settings);
    Ok(mode(settings, &endpoints, purger.as_ref()))
}

/// Returns the same as [`check`], and what the settings lack for an address that the public can reach. Logs no warning, as the list says
/// what the warnings would.
pub fn check_public(settings: &Settings) -> Result<(String, Vec<Missing>), StartError> {
    let CheckedParts { endpoints, purger, .. } = checked_parts(settings)?;
    let missing = missing(settings, settings.listen, &endpoints);
    Ok((mode(settings, &endpoints, purger.as_ref()), missing))
}

fn checked_parts(settings: &Settings) -> Result<CheckedParts, StartError> {
    let checked =
        CheckedParts::of(settings).and_then(|checked| StoreSource::check(settings).map(|()| checked));
    Ok(checked.map_err(|error| settings.locate(error))?)
}

/// Logs a warning if the address is not a loopback address and the settings lack something for it.
pub(super) fn warn_of_missing_settings(settings: &Settings, address: SocketAddr, endpoints: &[Endpoint]) {
    if address.ip().to_canonical().is_loopback() {
        return;
    }
    let missing = missing(settings, address, endpoints);
    let keys: Vec<&str> = missing.iter().map(|missing| missing.key).collect();
    let keys = keys.join(", ");
    if settings.limits.are_off() {
        tracing::warn!(
            "listening on {address}, which is not a loopback address, with no limit on what one client may take: \
             see docs/your-site.md; livecounter check --public says more of {keys}"
        );
    } else if !missing.is_empty() {
        tracing::warn!(
            "listening on {address}, which is not a loopback address: livecounter check --public says what is missing for the public \
             ({keys})"
        );
    }
}

/// Logs a warning if writing needs a key, but the service has no keys and accepts no tickets.
pub(super) fn warn_of_missing_keys(settings: &Settings) {
    let access = &settings.access;
    if !access.write.are_open() && access.keys.is_empty() && access.tickets.is_none() {
        tracing::warn!(
            "access.write asks for a key, but there are neither keys nor access.ticket_key: no client may write there; \
             make a key with livecounter key new"
        );
    }
}

/// Logs a warning if visitors are told by their addresses, but all requests through the proxy seem to come from the proxy's address.
pub(super) fn warn_of_unknown_visitors(settings: &Settings) {
    let Some(hits) = &settings.hits else { return };
    let by_address = [
        ("hits.window_without_cookies", hits.window_without_cookies && !hits.window.is_zero()),
        ("hits.uniques", hits.uniques),
    ];
    let on: Vec<&str> = by_address.iter().filter(|(_, on)| *on).map(|(key, _)| *key).collect();
    let has_proxy = settings.grip_url.is_some() || settings.fastly_service_id.is_some();
    if !on.is_empty() && has_proxy && settings.limits.trusted_proxies.is_empty() {
        tracing::warn!(
            "visitors are told by their addresses ({}), but trusted_proxies is not set, so all visitors behind a proxy have the proxy's \
             address: name the proxies (docs/limits.md)",
            on.join(" and ")
        );
    }
}
