//! `/admin/badge.svg` and `/admin/chart.svg`: the pictures of `/fields` for a browser with a session, which no other route sees.

use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::answer::for_this_site;
use super::guard::administrator;
use crate::http::context::WorkerContext;
use crate::http::fields;
use crate::http::pictures::error_picture;
use crate::http::route_access::OfAdministrator;

/// Answers the badge of a field.
pub(in crate::http) async fn badge(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    drawn(request, context, fields::badge).await
}

/// Answers the chart of a field.
pub(in crate::http) async fn chart(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    drawn(request, context, fields::chart).await
}

async fn drawn(
    request: HttpRequest,
    context: Data<WorkerContext>,
    draw: impl AsyncFn(HttpRequest, Data<WorkerContext>) -> HttpResponse,
) -> HttpResponse {
    let mut response = match administrator(&request, &context) {
        Ok(_) => {
            request.extensions_mut().insert(OfAdministrator);
            draw(request, context).await
        }
        Err(error) => error_picture(error),
    };
    for (name, value) in for_this_site() {
        response.headers_mut().insert(name, value);
    }
    response
}
