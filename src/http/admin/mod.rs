//! `/admin`: pages for administrators, which work without JavaScript. A browser logs in with a key and gets a session in a cookie.

mod answer;
mod bar_chart;
mod console;
mod counters;
mod destination;
mod form;
mod guard;
mod hits;
mod login;
mod overview;
mod pictures;
mod problem;
mod public;
mod shared_number;
mod stream;
mod traffic;

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::context::WorkerContext;
use super::cors::CorsPolicy;
use super::error::ApiError;
use super::metrics::RequestMetrics;
use super::resource::{READ, finish_resource};
use super::routing::{FinishedResource, Resource, get, head, post, resource};

/// The methods of a resource that takes a form.
const FORM: &str = "POST, OPTIONS";
/// The methods of a page with a form.
const PAGE_WITH_FORM: &str = "GET, HEAD, POST, OPTIONS";

/// The beginning of the paths of all these resources.
pub(super) const PREFIX: &str = "/admin";

/// The resources for administrators.
pub(super) fn resources(requests: &Arc<RequestMetrics>) -> Vec<FinishedResource> {
    let pages = [
        ("/admin", page("/admin", overview::get), READ),
        ("/admin/", page("/admin/", overview::get), READ),
        ("/admin/badge.svg", picture("/admin/badge.svg", pictures::badge), READ),
        ("/admin/chart.svg", picture("/admin/chart.svg", pictures::chart), READ),
        ("/admin/console", with_form(page("/admin/console", console::get), console::post), PAGE_WITH_FORM),
        (
            "/admin/counters",
            with_form(page("/admin/counters", counters::get), counters::post),
            PAGE_WITH_FORM,
        ),
        ("/admin/login", with_form(page("/admin/login", login::get), login::post), PAGE_WITH_FORM),
        ("/admin/logout", with_form(resource("/admin/logout"), login::log_out), FORM),
        ("/admin/public", page("/admin/public", public::get), READ),
        (
            "/admin/public/stream",
            resource("/admin/public/stream").method(get().to(public::stream)),
            "GET, OPTIONS",
        ),
        ("/admin/stream", resource("/admin/stream").method(get().to(stream::get)), "GET, OPTIONS"),
    ];
    let finish =
        |(path, resource, methods)| finish_resource(requests, path, methods, resource, CorsPolicy::Own);
    pages.into_iter().map(finish).collect()
}

/// A page. A browser gets an error as a page, too.
fn page<F>(path: &str, handler: F) -> Resource
where
    F: AsyncFn(HttpRequest, Data<WorkerContext>) -> Result<HttpResponse, ApiError> + Copy + 'static,
{
    let shown = move |request: HttpRequest, context: Data<WorkerContext>| async move {
        let answered = handler(request.clone(), context.clone()).await;
        answered.or_else(|error| problem::instead_of_page(&request, &context, error))
    };
    resource(path).method(get().to(shown)).method(head().to(shown))
}

/// A picture, whose errors are pictures.
fn picture<F>(path: &str, handler: F) -> Resource
where
    F: AsyncFn(HttpRequest, Data<WorkerContext>) -> HttpResponse + Copy + 'static,
{
    let drawn = move |request, context| async move { handler(request, context).await };
    resource(path).method(get().to(drawn)).method(head().to(drawn))
}

/// The same resource, which takes a form besides.
fn with_form<F>(resource: Resource, handler: F) -> Resource
where
    F: AsyncFn(HttpRequest, Payload, Data<WorkerContext>) -> Result<HttpResponse, ApiError> + Copy + 'static,
{
    resource.method(post().to(
        move |request: HttpRequest, payload: Payload, context: Data<WorkerContext>| async move {
            let answered = handler(request.clone(), payload, context.clone()).await;
            answered.or_else(|error| problem::after_form(&request, &context, error))
        },
    ))
}
