//! Errors as pages: a browser would show a problem in JSON as it is.

use actix_web::body::BoxBody;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::answer::{Frame, builder};
use super::destination::destination;
use super::guard::administrator;
use super::login;
use crate::access::redacted;
use crate::http::accept::accepts_pages;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::html::shown::sentence;
use crate::http::media::HTML;

/// After how many seconds a browser asks again for a page that was not available.
const AGAIN_AFTER: u32 = 5;

/// The page.
#[derive(Template)]
#[template(path = "admin-problem.html")]
struct ProblemPage<'a> {
    frame: Frame,
    title: &'static str,
    problem: String,
    /// After how many seconds the browser asks again; `None` if it does not.
    again_after: Option<u32>,
    /// The page to which a link leads.
    back: &'a str,
}

/// Answers an error of a page: the form of the login, if the browser has not logged in; a page that says what is wrong, if the client takes pages.
pub(super) fn instead_of_page(
    request: &HttpRequest,
    context: &WorkerContext,
    error: ApiError,
) -> Result<HttpResponse, ApiError> {
    match error {
        ApiError::Denied(_) => login::instead_of(request, context, &error),
        error => after_form(request, context, error),
    }
}

/// Answers an error of a form in the same way. A client that takes no pages gets the error itself, also if it has not logged in.
pub(super) fn after_form(
    request: &HttpRequest,
    context: &WorkerContext,
    error: ApiError,
) -> Result<HttpResponse, ApiError> {
    if !accepts_pages(request.headers()) {
        return Err(error);
    }
    if let ApiError::Denied(_) = error {
        return login::instead_of(request, context, &error);
    }
    let is_form = request.method() == Method::POST;
    let shown = ProblemPage {
        frame: Frame::of(administrator(request, context).ok().as_ref()),
        title: error.title(),
        problem: sentence(&redacted(&error.to_string())),
        // A form is not sent again without its sender: it may have changed something.
        again_after: (matches!(error, ApiError::Unavailable { .. }) && !is_form).then_some(AGAIN_AFTER),
        back: destination(request.path()),
    };
    let text = shown.render().map_err(|_| ApiError::Internal)?;
    // The middleware logs the error that the response has.
    let mut response = HttpResponse::from_error(error).map_body(|_, _| BoxBody::new(text));
    let headers = response.headers_mut();
    for (name, value) in builder(StatusCode::OK).finish().headers() {
        headers.insert(name.clone(), value.clone());
    }
    headers.insert(CONTENT_TYPE, HTML.clone());
    Ok(response)
}
