//! For operators: `/healthz`, `/readyz`, `/metrics`, `/openapi.json`.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use serde_json::json;

use super::caching::{FIVE_MINUTES, NO_STORE};
use super::context::WorkerContext;
use super::middleware::FailureCause;

/// For how long announcements may fail before the origin calls itself not ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// 200 while the process runs.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, NO_STORE.clone()))
        .body("ok\n")
}

/// 200 while the store answers and announcements get through; else 503, and what is wrong.
pub(super) async fn readyz(context: Data<WorkerContext>) -> HttpResponse {
    let ping = context.live.ping().await;
    let store = if ping.is_ok() { "ok" } else { "unavailable" };
    let announcements = match context.announcer.stats().failing_for() {
        Some(time) if time > PATIENCE => "backing up",
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

/// The Prometheus text format.
pub(super) async fn metrics(context: Data<WorkerContext>) -> HttpResponse {
    if let Some(topics) = &context.shared.limits.topics {
        // A store that does not answer leaves the number unknown, and is no reason to answer nothing else.
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

/// The description of the interface.
pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, FIVE_MINUTES.clone()))
        .body(include_str!("openapi.json"))
}
