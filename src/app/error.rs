//! Why the service could not start.

use std::io;
use std::net::SocketAddr;

use crate::settings::{Settings, SettingsError};

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The address could not be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
}

impl StartError {
    /// The same error, with the place where the setting was found.
    pub(super) fn located(self, settings: &Settings) -> Self {
        match self {
            StartError::Settings(error) => StartError::Settings(settings.locate(error)),
            other => other,
        }
    }
}
