//! HTTP: one file per resource, and on this screen the table of all routes.

mod accept;
mod amount;
mod caching;
mod context;
mod cors;
mod counters;
mod error;
mod exceeded_limit;
mod home;
mod limit_checks;
mod media;
mod metrics;
mod middleware;
mod multipart;
mod operations;
mod streams;

use std::sync::Arc;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, get, head, method, post, resource, to};
use actix_web::{Handler, HttpRequest, HttpResponse, Resource, Responder};

pub use caching::CacheTerms;
pub use context::{SharedContext, WorkerContext};
pub use error::ApiError;
pub use exceeded_limit::ExceededLimit;
pub use home::page::HomePage;
pub use metrics::{Metrics, RequestMetrics};

use cors::CorsPolicy;
use metrics::RouteMetrics;

/// The methods of what is only read.
const READ: &str = "GET, HEAD, OPTIONS";
/// The methods of any resource.
const ALL: &str = "GET, HEAD, POST, OPTIONS";

/// The routes. What is not in this table is 404, or 405 with `Allow`.
///
/// `metrics` says whether `/metrics` is among them: not where operators have a listener of their own.
pub fn routes(config: &mut ServiceConfig, requests: &Arc<RequestMetrics>, metrics: bool) {
    let r = requests;
    // One pattern with an optional slash: a set of two would be searched twice.
    let counter = resource("/counters/{id:[^/]*}{slash:/?}")
        .route(get().to(counters::get))
        .route(head().to(counters::get));
    config
        .service(finish_resource(
            r,
            "/counters/{id}/",
            ALL,
            counter.route(post().to(counters::post)),
            CorsPolicy::Public,
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
pub fn ops_routes(config: &mut ServiceConfig, requests: &Arc<RequestMetrics>) {
    config.service(measurements(requests));
    health_routes(config, requests);
}

/// What every listener has, and at last what is not there.
fn health_routes(config: &mut ServiceConfig, r: &Arc<RequestMetrics>) {
    let route = Arc::new(RouteMetrics::new("", r));
    let observed = from_fn(move |request, next| {
        middleware::observe(Arc::clone(&route), CorsPolicy::Public, request, next)
    });
    config
        .service(readable(r, "/healthz", operations::healthz))
        .service(readable(r, "/readyz", operations::readyz))
        .default_service(to(elsewhere).wrap(observed));
}

/// A resource that is only read.
fn readable<F, Args>(
    requests: &Arc<RequestMetrics>,
    template: &'static str,
    handler: F,
) -> impl HttpServiceFactory + use<F, Args>
where
    F: Handler<Args> + Clone,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let resource = resource(template).route(get().to(handler.clone())).route(head().to(handler));
    finish_resource(requests, template, READ, resource, CorsPolicy::Public)
}

fn measurements(requests: &Arc<RequestMetrics>) -> impl HttpServiceFactory + use<> {
    let handler = operations::metrics;
    let resource = resource("/metrics").route(get().to(handler)).route(head().to(handler));
    finish_resource(requests, "/metrics", READ, resource, CorsPolicy::Operators)
}

/// What every resource ends with: preflight, 405, and being observed under its template.
fn finish_resource(
    requests: &Arc<RequestMetrics>,
    template: &'static str,
    methods: &'static str,
    resource: Resource,
    cors: CorsPolicy,
) -> impl HttpServiceFactory + use<> {
    let route = Arc::new(RouteMetrics::new(template, requests));
    let preflight = move |request: HttpRequest| cors::preflight(request, methods);
    let resource = resource
        .route(method(Method::OPTIONS).to(preflight))
        .default_service(to(move || not_allowed(methods)));
    resource.wrap(from_fn(move |request, next| middleware::observe(Arc::clone(&route), cors, request, next)))
}

async fn not_allowed(methods: &'static str) -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed(methods))
}

/// What is asked of none of the resources: of the server as a whole (`OPTIONS *`), of a host behind it, or of what is not there
/// (RFC 9112, section 3.2).
async fn elsewhere(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    match (request.method(), request.uri().path()) {
        (&Method::OPTIONS, "*") => Ok(HttpResponse::NoContent().insert_header((ALLOW, ALL)).finish()),
        (&Method::CONNECT, _) => Err(ApiError::NotImplemented("this server is no proxy: it has no CONNECT")),
        (_, path) if !path.starts_with('/') => {
            Err(ApiError::BadRequest("what is asked for must be a path or a URL; * is for OPTIONS".into()))
        }
        _ => Err(ApiError::NotFound("there is nothing here; see /openapi.json for what there is".into())),
    }
}
