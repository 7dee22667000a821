//! HTTP: one file per resource, and in this file the table of all routes.

mod accept;
mod access_checks;
mod admin;
mod amount;
mod badge_query;
mod badges;
mod body;
mod caching;
mod compat;
mod context;
mod cookies;
mod cors;
mod counter_index;
mod counter_path;
mod counters;
mod drop_body;
mod drops;
mod element;
mod entities;
mod entity_list;
mod entity_path;
mod error;
mod exceeded_limit;
mod exec;
mod feeds;
mod fields;
mod history;
mod hit_answer;
mod hit_history;
mod hit_request;
mod hits;
mod home;
mod html;
mod idempotency;
mod json_body;
mod kept;
mod limit_checks;
mod local;
mod media;
mod metrics;
mod middleware;
mod missing;
mod multipart;
mod nocount;
mod operations;
mod past;
mod pictures;
mod query;
mod rankings;
mod recoveries;
mod resource;
mod route_access;
mod routing;
mod sql;
mod streams;
mod tags;
mod top_hits;
mod top_lists;
mod topic_list;
mod topics;
mod traffic;
mod uniques;
mod visitor;
mod visitor_digest;
mod written_drop;

use std::sync::Arc;

use actix_web::web::ServiceConfig;

pub use caching::CacheTerms;
pub use compat::countapi::stats::CountApiStats;
pub use context::{SharedContext, WorkerContext};
pub use error::ApiError;
pub use exceeded_limit::ExceededLimit;
pub use fields::newest::NewestFields;
pub use home::additions::Additions;
pub use home::page::HomePage;
pub use metrics::{Metrics, Occupancy, RequestMetrics};
pub use rankings::Rankings;
pub use top_hits::TopHits;
pub use traffic::{Traffic, keep_tally, write_tally};

use crate::compat::CompatHosts;
use cors::CorsPolicy;
use metrics::RouteMetrics;
use resource::{ALL, ENTITY, FEED, READ, WRITE, finish_resource, measurements, module, readable};
use routing::{Below, FinishedResource, Tail, delete, get, head, post, put, resource};

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
    number_routes(config, requests);
    entity_routes(config, requests);
    hit_routes(config, requests);
    page_routes(config, requests);
    if metrics {
        config.service(measurements(requests));
    }
    health_routes(config, requests);
    config.default_service(missing(requests).into_service());
    compat::routes(config, requests, compat);
}

/// Counters, and topics of all kinds that hold numbers.
fn number_routes(config: &mut ServiceConfig, r: &Arc<RequestMetrics>) {
    let counter = resource("/counters/{id}/")
        .method(get().to(counters::get))
        .method(head().to(counters::get))
        .method(post().to(counters::post))
        .method(put().to(counters::put))
        .method(delete().to(counters::delete));
    let counters = vec![
        finish_resource(r, "/counters/{id}/", ALL, counter, CorsPolicy::Public),
        readable(r, "/counters/", counter_index::get),
        readable(r, "/counters", counter_index::get),
        readable(r, "/counters/{id}/recover", counters::recover),
        readable(r, "/counters/{id}/history", history::series),
        readable(r, "/counters/{id}/chart.svg", history::chart),
        readable(r, "/counters/{id}/badge.svg", badges::svg),
        readable(r, "/counters/{id}/badge.json", badges::json),
    ];
    let topics = vec![
        readable(r, "/topics/{names}/", topics::get),
        readable(r, "/topics/{names}/recover", topics::recover),
    ];
    config.service(Below { prefix: "/counters", resources: counters, missing: missing(r) }).service(Below {
        prefix: "/topics",
        resources: topics,
        missing: missing(r),
    });
}

/// Entities, feeds, and what reads and writes several of them.
fn entity_routes(config: &mut ServiceConfig, r: &Arc<RequestMetrics>) {
    let fields = vec![
        readable(r, "/fields/badge.svg", fields::badge),
        readable(r, "/fields/chart.svg", fields::chart),
    ];
    let keys =
        resource("/entity/{type:.*}/").method(get().to(entities::get)).method(head().to(entities::get));
    let entity = resource("/entity/{type}/{key}")
        .method(get().to(entities::get))
        .method(head().to(entities::get))
        .method(post().to(entities::post))
        .method(delete().to(entities::delete));
    let entity = finish_resource(r, "/entity/{type}/{key}", ENTITY, entity, CorsPolicy::Public);
    let feed = resource("/feed/{route}")
        .method(get().to(feeds::history))
        .method(head().to(feeds::history))
        .method(delete().to(feeds::delete));
    let feed = finish_resource(r, "/feed/{route}", FEED, feed, CorsPolicy::Public);
    let drop = resource("/drop").method(post().to(drops::post));
    let commands = resource("/exec").method(post().to(exec::post));
    let recovery = readable(r, "/recover/{pass}/{topic}", recoveries::get);
    config
        .service(Below { prefix: "/fields", resources: fields, missing: missing(r) })
        .service(finish_resource(r, "/entity/{type}/", READ, keys, CorsPolicy::Public))
        .service(Tail { prefix: "/entity", resource: entity })
        .service(Tail { prefix: "/live", resource: readable(r, "/live/{route}", feeds::live) })
        .service(Tail { prefix: "/feed", resource: feed })
        .service(Tail { prefix: "/recover", resource: recovery })
        .service(finish_resource(r, "/drop", WRITE, drop, CorsPolicy::Public))
        .service(finish_resource(r, "/exec", WRITE, commands, CorsPolicy::Public))
        .service(statements(r));
}

/// The hits of pages and sites.
fn hit_routes(config: &mut ServiceConfig, r: &Arc<RequestMetrics>) {
    config
        .service(readable(r, "/count", hits::count))
        .service(readable(r, "/nocount", nocount::page))
        .service(readable(r, "/nocount/site", nocount::site))
        .service(readable(r, "/count/tag.svg", tags::count))
        .service(readable(r, "/nocount/tag.svg", tags::read))
        .service(readable(r, "/nocount/tag.json", tags::json))
        .service(readable(r, "/nocount/history", hit_history::series))
        .service(readable(r, "/nocount/chart.svg", hit_history::chart))
        .service(readable(r, "/nocount/top", top_lists::get))
        .service(readable(r, "/nocount/uniques", uniques::get));
}

/// The pages of the service itself, their files, and what describes the service.
fn page_routes(config: &mut ServiceConfig, r: &Arc<RequestMetrics>) {
    config
        .service(Below { prefix: admin::PREFIX, resources: admin::resources(r), missing: missing(r) })
        .service(readable(r, "/", home::page))
        .service(readable(r, "/assets/{name}", home::asset))
        .service(readable(r, "/favicon.ico", home::icon))
        .service(module(r))
        .service(readable(r, "/openapi.json", operations::openapi))
        .service(readable(r, "/robots.txt", operations::robots));
}

/// `/sql`
fn statements(requests: &Arc<RequestMetrics>) -> FinishedResource {
    let resource =
        resource("/sql").method(get().to(sql::get)).method(head().to(sql::get)).method(post().to(sql::post));
    finish_resource(requests, "/sql", "GET, HEAD, POST, OPTIONS", resource, CorsPolicy::Public)
}

/// The routes of the listener for operators.
pub fn ops_routes(config: &mut ServiceConfig, requests: &Arc<RequestMetrics>) {
    config.service(measurements(requests));
    health_routes(config, requests);
    let missing = resource("").finish(missing::problem, RouteMetrics::new("", requests), CorsPolicy::Public);
    config.default_service(missing.into_service());
}

/// The routes that both listeners have.
fn health_routes(config: &mut ServiceConfig, r: &Arc<RequestMetrics>) {
    config.service(readable(r, "/healthz", operations::healthz)).service(readable(
        r,
        "/readyz",
        operations::readyz,
    ));
}

/// The answer of the public listener to every path that is in no table.
fn missing(requests: &Arc<RequestMetrics>) -> FinishedResource {
    resource("").finish(missing::page_or_problem, RouteMetrics::new("", requests), CorsPolicy::Public)
}
