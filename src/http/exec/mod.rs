//! `POST /exec`: runs the commands of a text, one after the other.

mod answers;
mod command;
mod entities;
mod text;

use std::time::Instant;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::accept::negotiate;
use super::caching::PRIVATE_NO_STORE;
use super::context::WorkerContext;
use super::error::ApiError;
use super::idempotency::idempotency_key;
use super::limit_checks::check_write;
use super::media::{JSON, Media};
use super::query::Query;
use crate::domain::IdempotencyKey;
use crate::exec::{Command, parse};
use answers::Answers;
use command::{Runner, writes};
use text::commands_of;

/// How long the answers of a request may be before its next command may begin, in bytes.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Runs the commands of the body in their order, up to the first that fails. No command runs if one of them cannot be read or may not be
/// run.
pub(super) async fn post(
    request: HttpRequest,
    payload: Payload,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check_write(&request, &context)?;
    Query::of(request.query_string(), &[])?;
    negotiate(request.headers(), &[Media::Json])?;
    let key = idempotency_key(&request)?;
    let text = commands_of(&request, payload).await?;
    let results = execute(&request, &context, &text, key.as_ref()).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, PRIVATE_NO_STORE.clone()))
        .insert_header((CONTENT_TYPE, JSON.clone()))
        .body(results))
}

/// Runs the commands of a text for a request, as [`post`] does, and returns their results as a JSON object. The caller has counted the request
/// as one that writes.
pub(super) async fn execute(
    request: &HttpRequest,
    context: &WorkerContext,
    text: &str,
    key: Option<&IdempotencyKey>,
) -> Result<String, ApiError> {
    let commands = parse(text)?;
    let runner = Runner { request, context };
    for command in &commands {
        runner.check(&command.action).map_err(|error| failed(command, error, &Answers::default()))?;
    }
    Ok(run(&runner, &commands, key).await?.object())
}

async fn run(
    runner: &Runner<'_>,
    commands: &[Command],
    key: Option<&IdempotencyKey>,
) -> Result<Answers, ApiError> {
    let begin = Instant::now();
    let (mut answers, mut written) = (Answers::default(), false);
    for (place, command) in commands.iter().enumerate() {
        let key = key.map(|key| key_of(key, place, commands.len())).transpose();
        let answer = async {
            if begin.elapsed() >= runner.context.shared.commands_time || answers.len() >= MOST_BYTES {
                return Err(TOO_MUCH);
            }
            if writes(&command.action) {
                // The request itself counts for the first of its commands that write.
                if written {
                    check_write(runner.request, runner.context)?;
                }
                written = true;
            }
            runner.run(&command.action, key?).await
        };
        match answer.await {
            Ok(answer) => answers.push(command.at, &answer),
            Err(error) => return Err(failed(command, error, &answers)),
        }
    }
    Ok(answers)
}

/// The error of a command, after these answers.
fn failed(command: &Command, error: ApiError, before: &Answers) -> ApiError {
    ApiError::Command { at: command.at, error: Box::new(error), results: before.array() }
}

const TOO_MUCH: ApiError = ApiError::Unavailable {
    detail: "the commands before this one took all the time (commands.time, usually 10 s) or all the room (4 MiB) \
             that a request has; send the rest in a request of its own",
    source: None,
};

/// The key of one command of a text. If there are several commands, each gets a key of its own, since several can change one topic.
fn key_of(key: &IdempotencyKey, place: usize, commands: usize) -> Result<IdempotencyKey, ApiError> {
    if commands == 1 {
        return Ok(key.clone());
    }
    format!("{}/{}", key.as_str(), place + 1).parse().map_err(|error| {
        ApiError::BadRequest(format!("{error}; each command of a text has /1, /2, … behind the key"))
    })
}
