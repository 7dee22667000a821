//! What all resources have: GET and HEAD together, the answer to a preflight, 405 with `Allow`, and the steps that all requests go through.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::{Handler, HttpRequest, HttpResponse, Responder};

use super::cors::{self, CorsPolicy};
use super::element;
use super::error::ApiError;
use super::metrics::{RequestMetrics, RouteMetrics};
use super::operations;
use super::routing::{FinishedResource, Resource, get, head, method, resource};

/// The methods of a resource that is only read.
pub(super) const READ: &str = "GET, HEAD, OPTIONS";
/// The methods of a resource that is only written.
pub(super) const WRITE: &str = "POST, OPTIONS";
/// The methods of an entity.
pub(super) const ENTITY: &str = "GET, HEAD, POST, DELETE, OPTIONS";
/// The methods of the events of a feed.
pub(super) const FEED: &str = "GET, HEAD, DELETE, OPTIONS";
/// The methods of a counter.
pub(super) const ALL: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

/// A resource that is only read, by GET and HEAD.
pub(super) fn readable<F, Args>(
    requests: &Arc<RequestMetrics>,
    template: &'static str,
    handler: F,
) -> FinishedResource
where
    F: Handler<Args> + Clone,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let resource = resource(template).method(get().to(handler.clone())).method(head().to(handler));
    finish_resource(requests, template, READ, resource, CorsPolicy::Public)
}

/// The module with the element, which pages of all origins load and caches keep.
pub(super) fn module(requests: &Arc<RequestMetrics>) -> FinishedResource {
    let handler = element::module;
    let template = "/live-counter.js";
    let resource = resource(template).method(get().to(handler)).method(head().to(handler));
    finish_resource(requests, template, READ, resource, CorsPolicy::Repeated)
}

/// `/metrics`, which pages of other origins may not read with credentials.
pub(super) fn measurements(requests: &Arc<RequestMetrics>) -> FinishedResource {
    let handler = operations::metrics;
    let resource = resource("/metrics").method(get().to(handler)).method(head().to(handler));
    finish_resource(requests, "/metrics", READ, resource, CorsPolicy::Operators)
}

/// Adds what every resource has: the answer to a preflight, 405 for other methods, and the steps that all requests go
/// through, which count requests under the resource's template.
pub(super) fn finish_resource(
    requests: &Arc<RequestMetrics>,
    template: &'static str,
    methods: &'static str,
    resource: Resource,
    cors: CorsPolicy,
) -> FinishedResource {
    let preflight = move |request: HttpRequest| cors::preflight(request, methods);
    let resource = resource.method(method(Method::OPTIONS).to(preflight));
    resource.finish(move || not_allowed(methods), RouteMetrics::new(template, requests), cors)
}

async fn not_allowed(methods: &'static str) -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed(methods))
}
