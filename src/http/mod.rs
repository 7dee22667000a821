//! HTTP: one file per resource, and on this screen the table of all routes.

mod accept;
mod amount;
mod caching;
mod context;
mod cors;
mod counters;
mod error;
mod home;
mod limit_metrics;
mod limited;
mod metrics;
mod observe;
mod operations;
mod streams;

use std::sync::Arc;

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, get, head, method, post, resource};
use actix_web::{Handler, HttpRequest, HttpResponse, Resource, Responder};

pub use caching::CacheTerms;
pub use context::{Context, Shared};
pub use error::ApiError;
pub use limited::Limited;
pub use metrics::Metrics;

use cors::Cors;
use metrics::{Requests, Route};

/// The methods of what is only read.
const READ: &str = "GET, HEAD, OPTIONS";

/// The routes. What is not in this table is 404, or 405 with `Allow`.
///
/// `metrics` says whether `/metrics` is among them: not where operators have a listener of their own.
pub fn routes(config: &mut ServiceConfig, requests: &Arc<Requests>, metrics: bool) {
    let r = requests;
    // One pattern with an optional slash: a set of two would be searched twice.
    let counter = resource("/counters/{id:[^/]*}{slash:/?}")
        .route(get().to(counters::get))
        .route(head().to(counters::get));
    config
        .service(done(
            r,
            "/counters/{id}/",
            "GET, HEAD, POST, OPTIONS",
            counter.route(post().to(counters::post)),
            Cors::Public,
        ))
        .service(readable(r, "/counters/{id}/recover", counters::recover))
        .service(readable(r, "/", home::page))
        .service(readable(r, "/assets/{name}", home::asset))
        .service(readable(r, "/openapi.json", operations::openapi));
    if metrics {
        config.service(measurements(r));
    }
    health_routes(config, r);
}

/// The routes of the listener for operators.
pub fn ops_routes(config: &mut ServiceConfig, requests: &Arc<Requests>) {
    config.service(measurements(requests));
    health_routes(config, requests);
}

/// What every listener has, and at last what is not there.
fn health_routes(config: &mut ServiceConfig, r: &Arc<Requests>) {
    config
        .service(readable(r, "/healthz", operations::healthz))
        .service(readable(r, "/readyz", operations::readyz))
        .service(done(r, "", "", resource("/{rest:.*}"), Cors::Public));
}

/// A resource that is only read.
fn readable<F, Args>(
    requests: &Arc<Requests>,
    template: &'static str,
    handler: F,
) -> impl HttpServiceFactory + use<F, Args>
where
    F: Handler<Args> + Clone,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let resource = resource(template).route(get().to(handler.clone())).route(head().to(handler));
    done(requests, template, READ, resource, Cors::Public)
}

fn measurements(requests: &Arc<Requests>) -> impl HttpServiceFactory + use<> {
    let handler = operations::metrics;
    let resource = resource("/metrics").route(get().to(handler)).route(head().to(handler));
    done(requests, "/metrics", READ, resource, Cors::Operators)
}

/// What every resource ends with: preflight, 405, and being observed under its template.
fn done(
    requests: &Arc<Requests>,
    template: &'static str,
    methods: &'static str,
    resource: Resource,
    cors: Cors,
) -> impl HttpServiceFactory + use<> {
    let route = Arc::new(Route::new(template, requests));
    let resource = if methods.is_empty() {
        resource.default_service(actix_web::web::to(missing))
    } else {
        resource
            .route(
                method(actix_web::http::Method::OPTIONS)
                    .to(move |request: HttpRequest| cors::preflight(request, methods)),
            )
            .default_service(actix_web::web::to(move || not_allowed(methods)))
    };
    resource.wrap(from_fn(move |request, next| observe::observe(Arc::clone(&route), cors, request, next)))
}

async fn not_allowed(methods: &'static str) -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed(methods))
}

async fn missing() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound("there is nothing here; see /openapi.json for what there is".into()))
}
