//! `/admin`: what the service does now.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Serialize;

use super::answer::{Frame, page, renew};
use super::bar_chart::BarChart;
use super::guard::administrator;
use super::traffic::ShownPast;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::html::own_origin;
use crate::http::html::shown::ShownNumber;
use crate::http::metrics::{Now, SeenRequest};
use crate::http::traffic::clock;

/// What the page shows, and what its stream brings.
#[derive(Serialize)]
pub(super) struct Figures {
    #[serde(flatten)]
    now: Now,
    /// The requests of each second of the last minute, the oldest first.
    seconds: Vec<u64>,
    /// The latest requests, the latest first.
    latest: Vec<SeenRequest>,
}

impl Figures {
    pub(super) async fn read(context: &WorkerContext) -> Self {
        let shared = &context.shared;
        let now = shared.metrics.now(&context.live).await;
        Figures { now, seconds: shared.traffic.seconds(), latest: shared.traffic.latest() }
    }
}

/// The numbers of the process, each with its metric and its member in the stream.
const SOURCES: [[&str; 3]; 9] = [
    ["Requests answered", "livecounter_http_requests_total", "requests"],
    ["Failed (5xx)", "livecounter_http_requests_total{status=~\"5..\"}", "failures"],
    ["Listeners now", "livecounter_listeners", "listeners"],
    ["Outbox", "livecounter_outbox_topics", "outbox"],
    ["Announcements", "livecounter_announcements_acknowledged_total", "announced"],
    ["More on their way", "livecounter_announcer_topics", "pending"],
    ["Publishing behind", "livecounter_announcements_failing_seconds", "failing"],
    ["Last minute", "rate(livecounter_http_requests_total[1m])", "seconds"],
    ["Proxies", "livecounter_endpoint_up, …_items_pending, …_items_published_total", "proxies"],
];

/// The page.
#[derive(Template)]
#[template(path = "admin-overview.html")]
struct OverviewPage {
    frame: Frame,
    figures: Figures,
    minute: BarChart,
    past: ShownPast,
}

impl OverviewPage {
    fn shown(&self, number: &Option<u64>) -> String {
        ShownNumber(number.and_then(|number| i64::try_from(number).ok())).text()
    }

    fn number(&self, number: &u64) -> String {
        self.shown(&Some(*number))
    }

    fn sources(&self) -> [[&'static str; 3]; 9] {
        SOURCES
    }

    fn clock(&self, millis: &u64) -> String {
        clock(*millis)
    }

    fn duration(&self, ms: &f64) -> String {
        format!("{ms:.1}")
    }
}

/// Answers the page.
pub(in crate::http) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let administrator = administrator(&request, &context)?;
    let figures = Figures::read(&context).await;
    let minute = BarChart::of_seconds(&figures.seconds);
    let past = ShownPast::read(&context, &own_origin(&request)).await;
    let shown = OverviewPage { frame: Frame::of(Some(&administrator)), figures, minute, past };
    let mut response = page(StatusCode::OK, &shown)?;
    renew(&request, &mut response, &administrator);
    Ok(response)
}
