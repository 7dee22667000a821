//! `/admin`: pages for administrators, which work without JavaScript. A browser logs in with a key and gets a session in a cookie.

mod answer;
mod bar_chart;
mod console;
mod counters;
mod form;
mod guard;
mod hits;
mod login;
mod overview;
mod public;
mod stream;
mod traffic;

use std::sync::Arc;

use super::cors::CorsPolicy;
use super::metrics::RequestMetrics;
use super::resource::{READ, finish_resource};
use super::routing::{FinishedResource, get, head, post, resource};

/// The methods of a resource that takes a form.
const FORM: &str = "POST, OPTIONS";
/// The methods of a page with a form.
const PAGE_WITH_FORM: &str = "GET, HEAD, POST, OPTIONS";

/// The beginning of the paths of all these resources.
pub(super) const PREFIX: &str = "/admin";

/// The resources for administrators.
pub(super) fn resources(requests: &Arc<RequestMetrics>) -> Vec<FinishedResource> {
    let pages = [
        ("/admin", resource("/admin").route(get().to(overview::get)).route(head().to(overview::get)), READ),
        ("/admin/", resource("/admin/").route(get().to(overview::get)).route(head().to(overview::get)), READ),
        (
            "/admin/console",
            resource("/admin/console")
                .route(get().to(console::get))
                .route(head().to(console::get))
                .route(post().to(console::post)),
            PAGE_WITH_FORM,
        ),
        (
            "/admin/counters",
            resource("/admin/counters")
                .route(get().to(counters::get))
                .route(head().to(counters::get))
                .route(post().to(counters::post)),
            PAGE_WITH_FORM,
        ),
        (
            "/admin/login",
            resource("/admin/login")
                .route(get().to(login::get))
                .route(head().to(login::get))
                .route(post().to(login::post)),
            PAGE_WITH_FORM,
        ),
        ("/admin/logout", resource("/admin/logout").route(post().to(login::log_out)), FORM),
        (
            "/admin/public",
            resource("/admin/public").route(get().to(public::get)).route(head().to(public::get)),
            READ,
        ),
        (
            "/admin/public/stream",
            resource("/admin/public/stream").route(get().to(public::stream)),
            "GET, OPTIONS",
        ),
        ("/admin/stream", resource("/admin/stream").route(get().to(stream::get)), "GET, OPTIONS"),
    ];
    let finish =
        |(path, resource, methods)| finish_resource(requests, path, methods, resource, CorsPolicy::Own);
    pages.into_iter().map(finish).collect()
}
