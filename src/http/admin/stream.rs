//! Streams of the pages: their numbers, once a second. The process holds these streams itself.

use std::convert::Infallible;
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
use super::guard::{administrator, may_go_on};
use super::overview::Figures;
use crate::http::caching::streamed;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::sse;

/// How often the numbers are sent.
const EVERY: Duration = Duration::from_secs(1);
/// How long a client waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

/// Opens the stream of the overview. It ends within a second when the session has ended or needs to be renewed, and when the key was removed.
pub(in crate::http) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let administrator = administrator(&request, &context)?;
    let holder = administrator.clone();
    let mut response = open(context, async move |context| {
        let figures = if may_go_on(&holder, context) { Some(Figures::read(context).await) } else { None };
        serde_json::to_string(&figures?).ok()
    })?;
    renew(&request, &mut response, &administrator);
    Ok(response)
}

/// Opens a stream of what `read` returns each second. The stream ends when that is nothing, and when the service stops.
pub(super) fn open(
    context: Data<WorkerContext>,
    read: impl AsyncFn(&WorkerContext) -> Option<String> + 'static,
) -> Result<HttpResponse, ApiError> {
    let permit = context.shared.stream_permit()?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut response = builder(StatusCode::OK);
    streamed(&mut response);
    response.insert_header((CONTENT_TYPE, sse::CONTENT_TYPE));
    let first = Numbers { read, context, ticks, number: 1, _permit: permit };
    let events = stream::unfold(first, next);
    Ok(response.streaming(events))
}

/// What a stream needs for its next event.
struct Numbers<F> {
    read: F,
    context: Data<WorkerContext>,
    ticks: Interval,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

async fn next<F>(mut numbers: Numbers<F>) -> Option<(Result<Bytes, Infallible>, Numbers<F>)>
where
    F: AsyncFn(&WorkerContext) -> Option<String>,
{
    numbers.ticks.tick().await;
    if numbers.context.shared.stopping.load(Ordering::Relaxed) {
        return None;
    }
    let data = (numbers.read)(&numbers.context).await?;
    let retry = (numbers.number == 1).then_some(RETRY);
    let event = sse::render(retry, numbers.number, &data);
    numbers.number += 1;
    Some((Ok(event.into()), numbers))
}
