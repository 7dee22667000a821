//! `/hit`, `/update`, `/set` and `/create`: requests that change a counter, although they are GETs.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::answer::{Told, answer, parameter};
use super::name::{name, name_in_path};
use super::reads::{present, read, told, value_of};
use crate::access::{Needed, Space, Verb};
use crate::domain::{Amount, CountApiName, EventId, ParseAmountError, Topic, parse_value};
use crate::http::access_checks::{check_writer, require};
use crate::http::context::WorkerContext;
use crate::http::counter_path::check_known;
use crate::http::error::ApiError;
use crate::http::hit_request::is_preparation;
use crate::http::limit_checks::{self, check_amount, check_write};
use crate::store::{Once, Replay, WriteError};

/// How long two requests that create the same counter can take at the same time.
const CREATION: Duration = Duration::from_secs(2);

/// Adds 1 and answers the new value. The counter is created if it does not exist.
pub(super) async fn hit(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    context.shared.countapi.add_request();
    answer(&request, count(&request, &context)).await
}

/// Adds 1, if the request counts, and tells the value.
pub(super) async fn count(request: &HttpRequest, context: &WorkerContext) -> Result<Told, ApiError> {
    let changes = check_change(request, context)?;
    let name = name_in_path(request)?;
    if !changes {
        let value = present(context, &name).await?;
        return Ok(told(name, Some(value.unwrap_or(0))));
    }
    check_may_add(request, context, &name)?;
    let id = name.counter_id();
    let added = async {
        check_amount(request, context, &id, ("amount", Amount::ONE))?;
        limit_checks::add(request, context, Topic::counter(&id), Amount::ONE, None).await
    };
    match added.await {
        Ok(value) => {
            context.shared.countapi.add_update();
            Ok(told(name, Some(value)))
        }
        Err(error) => keep_value(context, name, error).await,
    }
}

/// Adds an amount and answers the new value; 404 if the counter does not exist.
pub(super) async fn update(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    context.shared.countapi.add_request();
    answer(&request, add(&request, &context)).await
}

async fn add(request: &HttpRequest, context: &WorkerContext) -> Result<Told, ApiError> {
    let changes = check_change(request, context)?;
    let name = name_in_path(request)?;
    let amount: Amount = number(request, "amount", str::parse)?.ok_or_else(|| missing("amount"))?;
    if !changes {
        let value = present(context, &name).await?;
        return Ok(told(name, value));
    }
    check_may_add(request, context, &name)?;
    let id = name.counter_id();
    if let Err(error) = check_amount(request, context, &id, ("amount", amount)) {
        return keep_value(context, name, error).await;
    }
    match context.live.add(Topic::counter(&id), amount, None, false).await {
        Ok(counted) => {
            context.shared.countapi.add_update();
            Ok(told(name, Some(counted.value)))
        }
        Err(WriteError::WouldBeNew) => Ok(told(name, None)),
        Err(error) => keep_value(context, name, error.into()).await,
    }
}

/// Sets the value and answers the old and the new one; 404 if the counter does not exist, 403 without a key for this counter.
pub(super) async fn set(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    context.shared.countapi.add_request();
    answer(&request, replace(&request, &context)).await
}

async fn replace(request: &HttpRequest, context: &WorkerContext) -> Result<Told, ApiError> {
    let changes = check_change(request, context)?;
    let name = name_in_path(request)?;
    let value = number(request, "value", parse_value)?.ok_or_else(|| missing("value"))?;
    let old = present(context, &name).await?;
    let told =
        |new: Option<i64>| Told::ok(Some(name.clone()), [("old_value", old.into()), ("value", new.into())]);
    let missing = || told(None).with_status(StatusCode::NOT_FOUND);
    let Some(kept) = old else { return Ok(missing()) };
    if !changes {
        return Ok(told(Some(kept)));
    }
    let id = name.counter_id();
    if let Err(error) = require(request, context, &Needed::One(Verb::Manage, Space::Counters, id.as_str())) {
        return Ok(told(Some(kept)).refused(&error));
    }
    match context.live.set(Topic::counter(&id), value, None, false).await {
        Ok(counted) => {
            context.shared.countapi.add_update();
            Ok(told(Some(counted.value)))
        }
        Err(WriteError::WouldBeNew) => Ok(missing()),
        Err(error) => Err(error.into()),
    }
}

/// Creates a counter, with a new name if the request has none.
pub(super) async fn create(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    context.shared.countapi.add_request();
    answer(&request, make(&request, &context)).await
}

async fn make(request: &HttpRequest, context: &WorkerContext) -> Result<Told, ApiError> {
    let changes = check_change(request, context)?;
    let namespace = parameter(request, "namespace");
    let key = parameter(request, "key").map_or_else(new_key, Ok)?;
    let name = name(request, namespace.as_deref(), &key)?;
    let value = number(request, "value", parse_value)?.unwrap_or(0);
    check_bounds(request)?;
    if !changes {
        return Err(ApiError::Forbidden("only a GET of a visitor creates a counter".into()));
    }
    check_may_add(request, context, &name)?;
    let id = name.counter_id();
    let exists = || ApiError::BadRequest(format!("the key {name} exists already; nothing was changed"));
    let before = read(context, &name).await?;
    if value_of(&before).is_some() {
        return Err(exists());
    }
    if let Ok(amount) = Amount::new(value) {
        check_amount(request, context, &id, ("value", amount))?;
    }
    // An addition, as it loses no hit that is counted at the same time.
    let key = creation_key(&before.id)?;
    let created = limit_checks::create(request, context, Topic::counter(&id), value, key).await?;
    let Some(value) = created else { return Err(exists()) };
    context.shared.countapi.add_update();
    let members = [
        ("namespace", name.namespace.to_string().into()),
        ("key", name.key.to_string().into()),
        ("value", value.into()),
    ];
    Ok(Told::ok(Some(name), members))
}

/// The key that all creations have which have found a counter missing at this revision, so that of several at the same time one succeeds. Creations that come later
/// find the counter. If it was deleted in between, they find the revision of the deletion, which the store keeps for longer than this key.
fn creation_key(missing_at: &EventId) -> Result<Once, ApiError> {
    let key = format!("countapi-create-{missing_at}").parse().map_err(|_| ApiError::Internal)?;
    Ok(Once { key, lifetime: CREATION, replay: Replay::FirstAnswer })
}

/// Whether the request changes something: not if it only asks for the headers, or if a browser prepares for a visit. Unlike a hit of
/// a page, a request of a program counts, because programs used CountAPI, too. A request that changes something counts against
/// `limits.writes`; 429 beyond that limit.
fn check_change(request: &HttpRequest, context: &WorkerContext) -> Result<bool, ApiError> {
    let changes = request.method() == Method::GET && !is_preparation(request.headers());
    if changes {
        check_write(request, context)?;
    }
    Ok(changes)
}

fn check_may_add(
    request: &HttpRequest,
    context: &WorkerContext,
    name: &CountApiName,
) -> Result<(), ApiError> {
    let id = name.counter_id();
    check_writer(request, context, Space::Counters, id.as_str())?;
    check_known(context, &id)
}

/// The answer to a change that is refused: 403 with the value that is kept, or 404 if the counter does not exist. Other errors
/// stay what they are.
async fn keep_value(context: &WorkerContext, name: CountApiName, error: ApiError) -> Result<Told, ApiError> {
    if !matches!(error, ApiError::Forbidden(_) | ApiError::Denied(_) | ApiError::OutOfRange) {
        return Err(error);
    }
    let value = present(context, &name).await?;
    let kept = told(name, value);
    Ok(if value.is_some() { kept.refused(&error) } else { kept })
}

/// The number of this name in the query; `None` if there is none, 400 if it cannot be used.
fn number<T>(
    request: &HttpRequest,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, ParseAmountError>,
) -> Result<Option<T>, ApiError> {
    let text = parameter(request, name);
    let parsed = text.as_deref().map(parse).transpose();
    parsed.map_err(|error| ApiError::BadRequest(format!("{name} {error}")))
}

fn missing(name: &str) -> ApiError {
    ApiError::BadRequest(format!("{name} is missing: add it to the query, as in ?{name}=5"))
}

/// Checks the bounds that the request gives, in CountAPI's words. They are not kept.
fn check_bounds(request: &HttpRequest) -> Result<(), ApiError> {
    if number(request, "update_lowerbound", parse_value)?.is_some_and(|bound| bound > 0) {
        return Err(ApiError::BadRequest("update_lowerbound must be negative".into()));
    }
    if number(request, "update_upperbound", parse_value)?.is_some_and(|bound| bound < 0) {
        return Err(ApiError::BadRequest("update_upperbound must be positive".into()));
    }
    Ok(())
}

/// A random key in the form of a UUID (RFC 9562, version 4).
fn new_key() -> Result<String, ApiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| ApiError::Internal)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}
