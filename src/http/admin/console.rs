//! `/admin/console`: runs a statement in SQL, or commands.

use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Frame, page, renew};
use super::form::Form;
use super::guard::{Administrator, administrator, sender_of_form};
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::exec;
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

/// What a statement or commands have brought.
struct RunResult {
    statement: String,
    answer: Result<Brought, String>,
    took_ms: u128,
}

enum Brought {
    /// The rows of a statement in SQL.
    Rows(Answer),
    /// The answer of each command, as JSON.
    Answers(Vec<String>),
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
    let administrator = administrator(&request, &context)?;
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
    let answered = run(&request, &context, &text).await;
    let status = answered.as_ref().map_or_else(ResponseError::status_code, |_| StatusCode::OK);
    let result = RunResult {
        statement: text.clone(),
        answer: answered.map_err(|error| error.to_string()),
        took_ms: begun.elapsed().as_millis(),
    };
    answer(&request, &administrator, status, text, Some(result))
}

/// Runs the text as SQL if it begins as a statement does, else as commands.
async fn run(request: &HttpRequest, context: &WorkerContext, text: &str) -> Result<Brought, ApiError> {
    if is_sql(text) {
        return sql::run(request, context, text, Parameters::default()).await.map(Brought::Rows);
    }
    let answers = exec::execute(request, context, text, None).await?;
    let Answers { results } = serde_json::from_str(&answers).map_err(|_| ApiError::Internal)?;
    let pretty = |answer: OneAnswer| serde_json::to_string_pretty(&answer.result).unwrap_or_default();
    Ok(Brought::Answers(results.into_iter().map(pretty).collect()))
}

/// The answers of commands.
#[derive(Deserialize)]
struct Answers {
    results: Vec<OneAnswer>,
}

#[derive(Deserialize)]
struct OneAnswer {
    result: Value,
}

/// Whether the first word behind comments is one with which statements begin.
fn is_sql(text: &str) -> bool {
    let lines = text.lines().map(str::trim);
    let first =
        lines.into_iter().find(|line| !line.is_empty() && !line.starts_with("--")).unwrap_or_default();
    let word: String = first.chars().take_while(char::is_ascii_alphabetic).collect();
    ["select", "with", "values"].iter().any(|begin| word.eq_ignore_ascii_case(begin))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_begins_as_a_statement_is_sql() {
        for text in
            ["SELECT 1", " select 1", "-- a comment\n\nWITH a AS (SELECT 1) SELECT * FROM a", "VALUES (1)"]
        {
            assert!(is_sql(text), "{text}");
        }
        for text in ["", "-- SELECT 1", "read select @a", "incr a @b n", "selected @a", "sql `SELECT 1`"] {
            assert!(!is_sql(text), "{text}");
        }
    }
}
