//! `/admin/stream`: the numbers of the overview, once a second, in one stream that this process holds.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::answer::{builder, renew};
use super::guard::{Administrator, administrator, may_go_on};
use super::overview::Figures;
use crate::http::caching::streamed;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::sse;

/// How often the numbers are sent.
const EVERY: Duration = Duration::from_secs(1);
/// How long a client waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

struct Numbers {
    administrator: Administrator,
    context: Data<WorkerContext>,
    ticks: Interval,
    sent: u64,
    _permit: OwnedSemaphorePermit,
}

/// Opens the stream. It ends within a second when the session has ended or needs to be renewed, when the key was removed, and when
/// the service stops.
pub(in crate::http) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let administrator = administrator(&request, &context)?;
    let permit = Arc::clone(&context.shared.streams).try_acquire_owned();
    let detail = "this server holds as many streams as it can; try again later";
    let permit = permit.map_err(|_| ApiError::Unavailable { detail, source: None })?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut response = builder(StatusCode::OK);
    streamed(&mut response);
    response.insert_header((CONTENT_TYPE, sse::CONTENT_TYPE));
    let numbers = Numbers { administrator: administrator.clone(), context, ticks, sent: 0, _permit: permit };
    let mut response = response.streaming(stream::unfold(numbers, next));
    renew(&request, &mut response, &administrator);
    Ok(response)
}

async fn next(mut numbers: Numbers) -> Option<(Result<Bytes, Infallible>, Numbers)> {
    numbers.ticks.tick().await;
    let context = &numbers.context;
    if context.shared.stopping.load(Ordering::Relaxed) || !may_go_on(&numbers.administrator, context) {
        return None;
    }
    let data = serde_json::to_string(&Figures::read(context).await).unwrap_or_default();
    numbers.sent += 1;
    let retry = (numbers.sent == 1).then_some(RETRY);
    Some((Ok(sse::render(retry, numbers.sent, &data).into()), numbers))
}
