//! Makes the outlets that the settings name, and the verifier of the requests that proxies send.

use std::sync::Arc;

use crate::fastly::{Purger, PurgerError, PurgerSettings};
use crate::grip::{self, Endpoint, Publisher, PublisherOptions, Verifier};
use crate::jwt::VerifyKey;
use crate::settings::{Settings, SettingsError};

/// Returns the endpoints of the GRIP proxies, each with the key that verifies the proxy's signatures, if a key is set.
pub(super) fn endpoints(settings: &Settings) -> Result<Vec<Endpoint>, SettingsError> {
    let Some(urls) = &settings.grip_url else { return Ok(Vec::new()) };
    let mut endpoints =
        grip::endpoints_from(urls.expose()).map_err(|error| SettingsError::new("grip.url", error))?;
    if let Some(key) = &settings.grip_verify_key {
        let key: VerifyKey =
            key.expose().parse().map_err(|error| SettingsError::new("grip.verify_key", error))?;
        endpoints = endpoints.into_iter().map(|e| e.with_default_verify_key(key.clone())).collect();
    }
    if let Some(at) = endpoints.iter().position(|e| e.verify_iss().is_some() && e.verify_key().is_none()) {
        let problem = "has the parameter verify-iss but no key to verify with: set GRIP_VERIFY_KEY";
        return Err(SettingsError::new("grip.url", format_args!("address {} {problem}", at + 1)));
    }
    Ok(endpoints)
}

/// Returns the verifier of the signatures in the requests of proxies, if there is a proxy.
pub(super) fn verifier(endpoints: &[Endpoint]) -> Option<Arc<Verifier>> {
    let verifier = (!endpoints.is_empty()).then(|| Arc::new(Verifier::new(endpoints)))?;
    if verifier.trusts_any() {
        tracing::warn!(
            "a proxy in GRIP_URL has no verify key: any client that sends a Grip-Sig is taken for the proxy"
        );
    }
    Some(verifier)
}

/// Makes the publisher if there is a proxy.
pub(super) fn publisher(
    settings: &Settings,
    endpoints: &[Endpoint],
) -> Result<Option<Arc<Publisher>>, SettingsError> {
    if endpoints.is_empty() {
        return Ok(None);
    }
    let options = PublisherOptions { merge: !settings.publish_interval.is_zero(), ..Default::default() };
    let publisher =
        Publisher::new(endpoints, &options).map_err(|error| SettingsError::new("grip.url", error))?;
    Ok(Some(Arc::new(publisher)))
}

/// Makes the purger if purging is on.
pub(super) fn purger(settings: &Settings) -> Result<Option<Purger>, SettingsError> {
    // The URL is checked even if purging is off, so that an operator finds a mistake in it before switching purging on.
    PurgerSettings::parse_api_url(&settings.fastly_api_url)
        .map_err(|error| SettingsError::new("fastly.api_url", error))?;
    let (Some(service_id), Some(api_key)) = (&settings.fastly_service_id, &settings.fastly_api_key) else {
        return Ok(None);
    };
    let mut purger = PurgerSettings::new(service_id, api_key.expose());
    purger.api_url.clone_from(&settings.fastly_api_url);
    purger.soft = settings.fastly_soft_purge;
    Purger::new(purger).map(Some).map_err(|error| {
        let key = match error {
            PurgerError::ServiceId => "fastly.service_id",
            PurgerError::ApiKey => "fastly.api_key",
            PurgerError::Url | PurgerError::Client(_) => "fastly.api_url",
        };
        SettingsError::new(key, error)
    })
}
