//! The end of the service, from outside of it.

use std::sync::Arc;

use actix_server::ServerHandle;

use crate::hub::Hub;

/// Stops the service.
#[derive(Clone)]
pub struct Stop {
    pub(super) server: ServerHandle,
    pub(super) hub: Option<Arc<Hub>>,
}

impl Stop {
    /// Stops accepting, ends the streams that this process holds and lets requests finish. Resolves when that is done;
    /// [`App::run`](super::App::run) returns after the announcements.
    pub async fn now(&self) {
        if let Some(hub) = &self.hub {
            hub.close();
        }
        self.server.stop(true).await;
    }
}
