//! `/admin/login` and `/admin/logout`: a form that takes a key, and the end of a session.

use actix_web::http::StatusCode;
use actix_web::http::header::SET_COOKIE;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use askama::Template;

use super::answer::{Frame, page, see_other};
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
    problem: String,
}

/// Answers the form, or the page behind it if the browser has logged in.
pub(in crate::http) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    match administrator(&request, &context) {
        Ok(_) => Ok(see_other("/admin")),
        Err(error) => instead_of(&context, error),
    }
}

/// Answers the form in the place of a page, if the browser has not logged in.
pub(super) fn instead_of(context: &WorkerContext, error: ApiError) -> Result<HttpResponse, ApiError> {
    let ApiError::Denied(_) = &error else { return Err(error) };
    let has_keys = !context.shared.access.has_no_keys();
    let status = if has_keys { error.status_code() } else { StatusCode::FORBIDDEN };
    page(status, &LoginPage { frame: Frame::of(None), has_keys, problem: String::new() })
}

/// Begins a session, if the form has a key with the scope `admin`.
pub(in crate::http) async fn post(
    request: HttpRequest,
    payload: Payload,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check_write(&request, &context)?;
    check_form(&request)?;
    let form = Form::read(&request, payload).await?;
    let Some(session) = log_in(&context, form.get("key")) else {
        context.shared.limits.refusals.record(RefusalReason::Access);
        let problem = "No key with the scope admin has this secret.".to_owned();
        let has_keys = !context.shared.access.has_no_keys();
        return page(StatusCode::UNAUTHORIZED, &LoginPage { frame: Frame::of(None), has_keys, problem });
    };
    let mut response = see_other("/admin");
    let cookie = set_cookie(&request, &session).try_into().map_err(|_| ApiError::Internal)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

/// Makes the browser forget its session.
pub(in crate::http) async fn log_out(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    check_form(&request)?;
    let mut response = see_other("/admin");
    let cookie = forget_cookie(&request).try_into().map_err(|_| ApiError::Internal)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}
