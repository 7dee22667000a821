//! Makes the parts that each worker gets when the worker starts.

use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};

use super::store_source::StoreSource;
use crate::announcer::Announcer;
use crate::http::{SharedContext, WorkerContext, ops_routes, routes};
use crate::hub::{Hub, WorkerListeners};
use crate::live::Live;

/// Gives each worker its connection to the store, its listeners and its routes.
#[derive(Clone)]
pub(super) struct WorkerFactory {
    pub(super) store: StoreSource,
    pub(super) announcer: Announcer,
    pub(super) hub: Option<Arc<Hub>>,
    pub(super) shared: Arc<SharedContext>,
}

impl WorkerFactory {
    /// Adds the routes for clients to a worker, with `/metrics` among them if `metrics` is set. Must be called once per worker,
    /// in its thread.
    pub(super) fn serve_public(&self, config: &mut ServiceConfig, metrics: bool) {
        config.app_data(Data::new(self.context(self.hub.as_ref().map(|hub| hub.worker()))));
        routes(config, &self.shared.metrics.requests, metrics, &self.shared.compat);
    }

    /// Adds the routes for operators to a worker. Must be called once per worker, in its thread.
    pub(super) fn serve_ops(&self, config: &mut ServiceConfig) {
        config.app_data(Data::new(self.context(None)));
        ops_routes(config, &self.shared.metrics.requests);
    }

    /// Makes the context of one worker: its own connection to the store, and `listeners` if the worker holds streams.
    fn context(&self, listeners: Option<Arc<WorkerListeners>>) -> WorkerContext {
        WorkerContext {
            live: Live::new(self.store.open_connection(), self.announcer.clone()),
            listeners,
            announcer: self.announcer.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}
