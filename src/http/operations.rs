//! The resources for operators: `/healthz`, `/readyz`, `/metrics` and `/openapi.json`; and `/robots.txt` for crawlers.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use serde_json::json;

use super::caching::{FIVE_MINUTES, NO_STORE};
use super::context::WorkerContext;
use super::media::{JSON, PLAIN};
use super::middleware::FailureCause;

/// How long announcements may fail before the origin answers that it is not ready.
const FAILING_AT_MOST: Duration = Duration::from_secs(10);

/// Answers 200 while the process runs.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, PLAIN.clone()))
        .insert_header((CACHE_CONTROL, NO_STORE.clone()))
        .body("ok\n")
}

/// Answers 200 while the store takes changes and announcements get through, else 503 with what is wrong.
pub(super) async fn readyz(context: Data<WorkerContext>) -> HttpResponse {
    let ping = context.live.ping().await;
    let store = if ping.is_ok() { "ok" } else { "unavailable" };
    let announcements = match context.announcer.stats().failing_for() {
        Some(time) if time > FAILING_AT_MOST => "backing up",
        _ => "ok",
    };
    let ready = (store, announcements) == ("ok", "ok");
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.insert_header((CACHE_CONTROL, NO_STORE.clone()));
    let mut response = response.json(json!({"ready": ready, "store": store, "announcements": announcements}));
    if !ready {
        let cause =
            ping.map_or_else(|error| error.to_string(), |()| format!("announcements: {announcements}"));
        response.extensions_mut().insert(FailureCause(cause));
    }
    response
}

/// Answers the metrics in the OpenMetrics text format.
pub(super) async fn metrics(context: Data<WorkerContext>) -> HttpResponse {
    if let Some(topics) = &context.shared.limits.topics {
        // If the store does not answer, the number of topics is unknown, but the other metrics are still answered.
        let _ = topics.refresh(async || context.live.topic_count().await).await;
    }
    match context.shared.metrics.encode(&context.live).await {
        Ok(text) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
            .insert_header((CACHE_CONTROL, NO_STORE.clone()))
            .body(text),
        Err(_) => {
            HttpResponse::InternalServerError().insert_header((CACHE_CONTROL, NO_STORE.clone())).finish()
        }
    }
}

/// Answers the OpenAPI description of the interface.
pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, JSON.clone()))
        .insert_header((CACHE_CONTROL, FIVE_MINUTES.clone()))
        .body(include_str!("openapi.json"))
}

/// Answers what crawlers may ask for (RFC 9309): what the home page and pages with the element are made of.
pub(super) async fn robots() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, PLAIN.clone()))
        .insert_header((CACHE_CONTROL, FIVE_MINUTES.clone()))
        .body(include_str!("robots.txt"))
}
