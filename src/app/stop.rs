//! Stops the service from another task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_server::ServerHandle;

use crate::hub::Hub;

/// Stops the service.
#[derive(Clone)]
pub struct Stop {
    pub(super) server: ServerHandle,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) hub: Option<Arc<Hub>>,
}

impl Stop {
    /// Stops accepting connections, ends the streams that this process holds, and returns when all requests have finished.
    /// [`App::run`](super::App::run) returns later, after the pending announcements.
    pub async fn now(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(hub) = &self.hub {
            hub.close();
        }
        self.server.stop(true).await;
    }
}
