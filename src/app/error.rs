//! The reason why the service could not start.

use std::io;
use std::net::SocketAddr;

use crate::settings::{Settings, SettingsError};

/// The reason why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The service cannot listen on the address; the last part names what chooses another address.
    #[error("cannot listen on {0}: {1}; {2} chooses another address")]
    Listen(SocketAddr, #[source] io::Error, &'static str),
}

impl StartError {
    /// Adds the place where the setting was found.
    pub(super) fn located(self, settings: &Settings) -> Self {
        match self {
            StartError::Settings(error) => StartError::Settings(settings.locate(error)),
            other => other,
        }
    }
}
