//! HTTP: one file per resource, and on this screen the table of all routes.

mod accept;
mod amount;
mod caching;
mod context;
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
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE, ALLOW,
};
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, get, head, method, post, resource};
use actix_web::{Handler, HttpResponse, Resource, Responder};

pub use caching::CacheTerms;
pub use context::{Context, Shared};
pub use error::ApiError;
pub use limited::Limited;
pub use metrics::Metrics;

use metrics::{Requests, Route};

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
        ))
        .service(readable(r, "/counters/{id}/recover", counters::recover))
        .service(readable(r, "/", home::page))
        .service(readable(r, "/assets/{name}", home::asset))
        .service(readable(r, "/openapi.json", operations::openapi));
    if metrics {
        config.service(readable(r, "/metrics", operations::metrics));
    }
    health_routes(config, r);
}

/// The routes of the listener for operators.
pub fn ops_routes(config: &mut ServiceConfig, requests: &Arc<Requests>) {
    config.service(readable(requests, "/metrics", operations::metrics));
    health_routes(config, requests);
}

/// What every listener has, and at last what is not there.
fn health_routes(config: &mut ServiceConfig, r: &Arc<Requests>) {
    config
        .service(readable(r, "/healthz", operations::healthz))
        .service(readable(r, "/readyz", operations::readyz))
        .service(done(r, "", "", resource("/{rest:.*}")));
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
    done(requests, template, "GET, HEAD, OPTIONS", resource)
}

/// What every resource ends with: preflight, 405, and being observed under its template.
fn done(
    requests: &Arc<Requests>,
    template: &'static str,
    methods: &'static str,
    resource: Resource,
) -> impl HttpServiceFactory + use<> {
    let route = Arc::new(Route::new(template, requests));
    let resource = if methods.is_empty() {
        resource.default_service(actix_web::web::to(missing))
    } else {
        resource
            .route(method(actix_web::http::Method::OPTIONS).to(move || preflight(methods)))
            .default_service(actix_web::web::to(move || not_allowed(methods)))
    };
    resource.wrap(from_fn(move |request, next| observe::observe(Arc::clone(&route), request, next)))
}

/// The answer to a browser that asks whether it may send a request from another origin: it may.
async fn preflight(methods: &'static str) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ALLOW, methods))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((
            ACCESS_CONTROL_ALLOW_HEADERS,
            "accept, content-type, idempotency-key, last-event-id, cache-control, x-requested-with, x-request-id",
        ))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}

async fn not_allowed(methods: &'static str) -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed(methods))
}

async fn missing() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound("there is nothing here; see /openapi.json for what there is".into()))
}
