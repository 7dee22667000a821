//! `/get`, `/info` and `/stats`: what there is.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::answer::{Told, answer};
use super::name::name_in_path;
use crate::domain::{CountApiName, Topic};
use crate::http::context::WorkerContext;
use crate::http::counter_path::check_known;
use crate::http::error::ApiError;
use crate::store::{Body, Reading};

/// Answers the value; 404 if the counter does not exist.
pub(super) async fn get(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    context.shared.countapi.add_request();
    answer(&request, look_up(&request, &context)).await
}

/// Tells the value.
pub(super) async fn look_up(request: &HttpRequest, context: &WorkerContext) -> Result<Told, ApiError> {
    let name = name_in_path(request)?;
    let value = present(context, &name).await?;
    Ok(told(name, value))
}

/// Answers what is known of the counter; 404 if the counter does not exist.
pub(super) async fn info(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    context.shared.countapi.add_request();
    let work = async {
        let name = name_in_path(&request)?;
        let Some(value) = present(&context, &name).await? else { return Ok(told(name, None)) };
        let amounts = context.shared.limits.amounts;
        let members = [
            ("namespace", name.namespace.to_string().into()),
            ("key", name.key.to_string().into()),
            // No counter expires, and the store does not keep when it was created.
            ("ttl", (-1).into()),
            ("created", Value::Null),
            ("update_lowerbound", amounts.least().into()),
            ("update_upperbound", amounts.greatest().into()),
            ("enable_reset", false.into()),
            ("value", value.into()),
        ];
        Ok(Told::ok(Some(name), members))
    };
    answer(&request, work).await
}

/// Answers how much there is of everything.
pub(super) async fn stats(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let stats = &context.shared.countapi;
    stats.add_request();
    let work = async {
        let members = [
            ("keys_created", stats.topics(&context.live).await.map_err(ApiError::unread)?.into()),
            ("keys_updated", stats.updates().into()),
            ("requests", stats.requests().into()),
            ("version", env!("CARGO_PKG_VERSION").into()),
        ];
        Ok(Told::ok(None, members))
    };
    answer(&request, work).await
}

/// The value of the counter; `None` if the counter does not exist.
pub(super) async fn present(context: &WorkerContext, name: &CountApiName) -> Result<Option<i64>, ApiError> {
    Ok(value_of(&read(context, name).await?))
}

/// Reads the counter.
pub(super) async fn read(context: &WorkerContext, name: &CountApiName) -> Result<Reading, ApiError> {
    let id = name.counter_id();
    check_known(context, &id)?;
    context.live.read(Topic::counter(&id)).await.map_err(ApiError::unread)
}

/// The value of a counter; `None` if the counter does not exist.
pub(super) fn value_of(reading: &Reading) -> Option<i64> {
    match reading.body {
        Body::Number(value) => Some(value),
        Body::Gone | Body::Document(_) | Body::Events(_) => None,
    }
}

/// The answer with a value, or the 404 of a counter that does not exist.
pub(super) fn told(name: CountApiName, value: Option<i64>) -> Told {
    let told = Told::ok(Some(name), [("value", value.into())]);
    if value.is_some() { told } else { told.with_status(StatusCode::NOT_FOUND) }
}
