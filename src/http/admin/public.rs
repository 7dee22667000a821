//! `/admin/public`: a page that every client may see, if `admin.public` is set. It shows numbers of the service and nothing of its clients.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Serialize;

use super::answer::{Frame, page};
use super::bar_chart::BarChart;
use super::guard::refuse_secrets_in_query;
use super::stream;
use super::traffic::ShownPast;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::html::own_origin;
use crate::http::html::shown::ShownNumber;
use crate::http::limit_checks::take_stream_slot;

/// What the page shows, and what its stream brings.
#[derive(Serialize)]
struct PublicFigures {
    requests: u64,
    listeners: Option<u64>,
    announced: u64,
    seconds: Vec<u64>,
}

impl PublicFigures {
    async fn read(context: &WorkerContext) -> Self {
        let now = context.shared.metrics.now(&context.live).await;
        PublicFigures {
            requests: now.requests,
            listeners: now.listeners,
            announced: now.announced,
            seconds: context.shared.traffic.seconds(),
        }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "admin-public.html")]
struct PublicPage {
    frame: Frame,
    figures: PublicFigures,
    minute: BarChart,
    past: ShownPast,
}

impl PublicPage {
    fn shown(&self, number: &Option<u64>) -> String {
        ShownNumber(number.and_then(|number| i64::try_from(number).ok())).text()
    }

    fn number(&self, number: &u64) -> String {
        self.shown(&Some(*number))
    }
}

/// Answers the page.
pub(in crate::http) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check(&request, &context)?;
    let figures = PublicFigures::read(&context).await;
    let minute = BarChart::of_seconds(&figures.seconds);
    let past = ShownPast::read(&context, &own_origin(&request)).await;
    page(StatusCode::OK, &PublicPage { frame: Frame::of(None), figures, minute, past })
}

/// Opens the stream of the page.
pub(in crate::http) async fn stream(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check(&request, &context)?;
    let slot = take_stream_slot(&request, &context)?;
    stream::open(context, async move |context| {
        let _held = &slot;
        serde_json::to_string(&PublicFigures::read(context).await).ok()
    })
}

fn check(request: &HttpRequest, context: &WorkerContext) -> Result<(), ApiError> {
    refuse_secrets_in_query(request)?;
    if context.shared.has_public_page {
        return Ok(());
    }
    Err(ApiError::NotFound(
        "this service has no public page of its numbers: admin.public is false".to_owned(),
    ))
}
