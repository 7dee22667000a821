//! `/admin/login` and `/admin/logout`: a form that takes a key, and the end of a session.

use actix_web::http::StatusCode;
use actix_web::http::header::SET_COOKIE;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use askama::Template;

use super::answer::{Frame, page, see_other};
use super::destination::{OVERVIEW, asked_for, destination};
use super::form::Form;
use super::guard::{administrator, check_form, forget_cookie, log_in, set_cookie};
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::limit_checks::check_write;
use crate::limits::RefusalReason;

/// The form that takes a key.
#[derive(Template)]
#[template(path = "admin-login.html")]
struct LoginPage {
    frame: Frame,
    /// Whether there is a key to log in with.
    has_keys: bool,
    /// The page to which the login leads.
    next: String,
    problem: String,
}

/// Answers the form, or leads to the overview if the browser has logged in.
pub(in crate::http) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    administrator(&request, &context).map(|_| see_other(OVERVIEW))
}

/// Answers the form in the place of a page for which the browser must log in. The login then leads to this page.
pub(super) fn instead_of(
    request: &HttpRequest,
    context: &WorkerContext,
    error: &ApiError,
) -> Result<HttpResponse, ApiError> {
    let has_keys = !context.shared.access.has_no_keys();
    let status = if has_keys { error.status_code() } else { StatusCode::FORBIDDEN };
    let next = asked_for(request).to_owned();
    page(status, &LoginPage { frame: Frame::of(None), has_keys, next, problem: String::new() })
}

/// Begins a session, if the form has a key with the scope `admin`, and leads to the page that was asked for.
pub(in crate::http) async fn post(
    request: HttpRequest,
    payload: Payload,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check_write(&request, &context)?;
    check_form(&request)?;
    let form = Form::read(&request, payload).await?;
    let next = destination(form.get("next"));
    let Some(session) = log_in(&context, form.get("key")) else {
        context.shared.limits.refusals.record(RefusalReason::Access);
        let problem = "No key with the scope admin has this secret.".to_owned();
        let has_keys = !context.shared.access.has_no_keys();
        let shown = LoginPage { frame: Frame::of(None), has_keys, next: next.to_owned(), problem };
        return page(StatusCode::UNAUTHORIZED, &shown);
    };
    let mut response = see_other(next);
    let cookie = set_cookie(&request, &session).try_into().map_err(|_| ApiError::Internal)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

/// Makes the browser forget its session.
pub(in crate::http) async fn log_out(
    request: HttpRequest,
    _: Payload,
    _: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check_form(&request)?;
    let mut response = see_other(OVERVIEW);
    let cookie = forget_cookie(&request).try_into().map_err(|_| ApiError::Internal)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}
