//! HTTP: one file per resource, and in this file the table of all routes.

mod accept;
mod access_checks;
mod amount;
mod badge_query;
mod badges;
mod caching;
mod compat;
mod context;
mod cors;
mod counter_index;
mod counter_list;
mod counter_path;
mod counters;
mod error;
mod exceeded_limit;
mod history;
mod hit_answer;
mod hit_history;
mod hit_request;
mod hits;
mod home;
mod kept;
mod limit_checks;
mod media;
mod metrics;
mod middleware;
mod multipart;
mod operations;
mod past;
mod pictures;
mod query;
mod rankings;
mod resource;
mod streams;
mod tags;
mod top_hits;
mod top_lists;
mod visitor;

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, delete, get, head, post, put, to};
use actix_web::{HttpRequest, HttpResponse, web};

pub use caching::CacheTerms;
pub use compat::CountApiStats;
pub use context::{SharedContext, WorkerContext};
pub use error::ApiError;
pub use exceeded_limit::ExceededLimit;
pub use home::page::HomePage;
pub use metrics::{Metrics, RequestMetrics};
pub use rankings::Rankings;
pub use top_hits::TopHits;

use crate::compat::CompatHosts;
use cors::CorsPolicy;
use metrics::RouteMetrics;
use resource::{ALL, finish_resource, measurements, readable};

/// The routes of the public listener. A path that is not in this table is 404; another method of a path is 405 with `Allow`.
///
/// `metrics` says whether `/metrics` is among the routes. `metrics` is false if operators have a listener of their own.
///
/// The routes of other services come last, so that they never stand in the way of the routes before them.
pub fn routes(
    config: &mut ServiceConfig,
    requests: &Arc<RequestMetrics>,
    metrics: bool,
    compat: &CompatHosts,
) {
    let r = requests;
    // The slash is optional in one pattern, because actix would search a set of two patterns one after the other.
    let counter = web::resource("/counters/{id:[^/]*}{slash:/?}")
        .route(get().to(counters::get))
        .route(head().to(counters::get))
        .route(post().to(counters::post))
        .route(put().to(counters::put))
        .route(delete().to(counters::delete));
    config
        // The list has two resources with plain paths, because a pattern would cost each request for a counter another regular
        // expression. `/counters/` comes before the pattern of a counter, because that pattern also fits `/counters/`, with an
        // empty id.
        .service(readable(r, "/counters/", counter_index::get))
        .service(finish_resource(r, "/counters/{id}/", ALL, counter, CorsPolicy::Public))
        .service(readable(r, "/counters", counter_index::get))
        .service(readable(r, "/counters/{id}/recover", counters::recover))
        .service(readable(r, "/counters/{id}/history", history::series))
        .service(readable(r, "/counters/{id}/chart.svg", history::chart))
        .service(readable(r, "/counters/{id}/badge.svg", badges::svg))
        .service(readable(r, "/counters/{id}/badge.json", badges::json))
        .service(readable(r, "/count", hits::count))
        .service(readable(r, "/nocount", hits::read))
        .service(readable(r, "/count/tag.svg", tags::count))
        .service(readable(r, "/nocount/tag.svg", tags::read))
        .service(readable(r, "/nocount/tag.json", tags::json))
        .service(readable(r, "/nocount/history", hit_history::series))
        .service(readable(r, "/nocount/chart.svg", hit_history::chart))
        .service(readable(r, "/nocount/top", top_lists::get))
        .service(readable(r, "/", home::page))
        .service(readable(r, "/assets/{name}", home::asset))
        .service(readable(r, "/openapi.json", operations::openapi));
    if metrics {
        config.service(measurements(r));
    }
    health_routes(config, r);
    compat::routes(config, r, compat);
}

/// The routes of the listener for operators.
pub fn ops_routes(config: &mut ServiceConfig, requests: &Arc<RequestMetrics>) {
    config.service(measurements(requests));
    health_routes(config, requests);
}

/// The routes that both listeners have, and the answer to every other path.
fn health_routes(config: &mut ServiceConfig, r: &Arc<RequestMetrics>) {
    let route = Arc::new(RouteMetrics::new("", r));
    let observed = from_fn(move |request, next| {
        middleware::observe(Arc::clone(&route), CorsPolicy::Public, request, next)
    });
    config
        .service(readable(r, "/healthz", operations::healthz))
        .service(readable(r, "/readyz", operations::readyz))
        .default_service(to(no_resource).wrap(observed));
}

/// Answers requests that are for no resource: for the server as a whole (`OPTIONS *`), for another host as if this were a
/// proxy, or for a path that does not exist (RFC 9112, section 3.2).
async fn no_resource(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    match (request.method(), request.uri().path()) {
        (&Method::OPTIONS, "*") => Ok(HttpResponse::NoContent().insert_header((ALLOW, ALL)).finish()),
        (&Method::CONNECT, _) => Err(ApiError::NotImplemented("this server is no proxy: it has no CONNECT")),
        (_, path) if !path.starts_with('/') => {
            Err(ApiError::BadRequest("what is asked for must be a path or a URL; * is for OPTIONS".into()))
        }
        _ => Err(ApiError::NotFound("there is nothing here; see /openapi.json for what there is".into())),
    }
}
