//! `/admin/console`: runs a statement in SQL.

use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use askama::Template;

use super::answer::{Frame, page, renew};
use super::form::Form;
use super::guard::{Administrator, administrator, sender_of_form};
use super::login;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::route_access::OfAdministrator;
use crate::http::sql;
use crate::sql::{Answer, Cell, Parameters};

/// The longest form, in bytes: a statement may have 16 KiB, and a form writes some characters as three.
const LONGEST_FORM: usize = 64 * 1024;

/// The page.
#[derive(Template)]
#[template(path = "admin-console.html")]
struct ConsolePage {
    frame: Frame,
    /// The statement in the form.
    text: String,
    result: Option<RunResult>,
}

/// What a statement has brought.
struct RunResult {
    statement: String,
    answer: Result<Answer, String>,
    took_ms: u128,
}

impl RunResult {
    /// The text of a cell.
    fn text(&self, cell: &Cell) -> String {
        match cell {
            Cell::Null => "NULL".to_owned(),
            Cell::Integer(number) => number.to_string(),
            Cell::Real(number) => number.to_string(),
            Cell::Text(text) => text.clone(),
        }
    }

    /// The class of a cell: numbers stand at the right, and what is missing is paler.
    fn class(&self, cell: &Cell) -> &'static str {
        match cell {
            Cell::Null => "null",
            Cell::Integer(_) | Cell::Real(_) => "n",
            Cell::Text(_) => "text",
        }
    }
}

/// Answers the page.
pub(in crate::http) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let administrator = match administrator(&request, &context) {
        Ok(administrator) => administrator,
        Err(error) => return login::instead_of(&context, error),
    };
    answer(&request, &administrator, StatusCode::OK, String::new(), None)
}

/// Runs the statement of the form, and answers the page with its result or with what is wrong.
pub(in crate::http) async fn post(
    request: HttpRequest,
    payload: Payload,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let administrator = sender_of_form(&request, &context)?;
    let form = Form::read_up_to(LONGEST_FORM, &request, payload).await?;
    let text = form.get("text").to_owned();
    request.extensions_mut().insert(OfAdministrator);
    let begun = Instant::now();
    let answered = sql::run(&request, &context, &text, Parameters::default()).await;
    let status = answered.as_ref().map_or_else(ResponseError::status_code, |_| StatusCode::OK);
    let result = RunResult {
        statement: text.clone(),
        answer: answered.map_err(|error| error.to_string()),
        took_ms: begun.elapsed().as_millis(),
    };
    answer(&request, &administrator, status, text, Some(result))
}

fn answer(
    request: &HttpRequest,
    administrator: &Administrator,
    status: StatusCode,
    text: String,
    result: Option<RunResult>,
) -> Result<HttpResponse, ApiError> {
    let shown = ConsolePage { frame: Frame::of(Some(administrator)), text, result };
    let mut response = page(status, &shown)?;
    renew(request, &mut response, administrator);
    Ok(response)
}
