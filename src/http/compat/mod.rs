//! The routes of other counter services, for pages that still name such a service: one file per service, over the same topics as
//! all other routes. A service that has no hosts in the settings has no routes.

mod badge_parts;
mod busuanzi;
pub(super) mod countapi;
mod dwyl;
mod jsonp;
mod komarev;
mod seeyoufarm;
mod service_routes;
mod visitor_badge;

use std::sync::Arc;

use actix_web::web::ServiceConfig;

use super::metrics::RequestMetrics;
use crate::compat::{CompatHosts, Service};
use service_routes::ServiceRoutes;

/// Adds the routes of the services that have hosts. Of two routes that fit a request, the first one answers it: the
/// services whose paths fit almost everything come last.
pub(super) fn routes(config: &mut ServiceConfig, requests: &Arc<RequestMetrics>, hosts: &CompatHosts) {
    let mut add = |service: Service, routes: fn(&mut ServiceRoutes<'_>)| {
        let hosts = hosts.of(service);
        if !hosts.is_empty() {
            routes(&mut ServiceRoutes { config: &mut *config, requests, hosts });
        }
    };
    add(Service::CountApi, countapi::routes);
    add(Service::SeeYouFarm, seeyoufarm::routes);
    add(Service::Busuanzi, busuanzi::routes);
    add(Service::VisitorBadge, visitor_badge::routes);
    add(Service::Komarev, komarev::routes);
    add(Service::Dwyl, dwyl::routes);
}
