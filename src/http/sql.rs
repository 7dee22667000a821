//! `/sql`: answers one statement in SQL over entities.

use actix_web::http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::Value;

use super::accept::negotiate;
use super::body::{media_type, refuse_json, whole_body};
use super::caching::secret;
use super::context::WorkerContext;
use super::cors::EXPOSED_WITH_TRUNCATED;
use super::error::ApiError;
use super::media::Media;
use super::query::Query as UrlQuery;
use super::route_access::{admit, admit_reader};
use crate::access::Needed;
use crate::live::{EntityTableError, EntityTables};
use crate::sql::{Answer, Parameters, Query, QueryError};

/// The longest body. A statement has at most 16 KiB; its parameters need room, too.
const BODY_LIMIT: usize = 128 * 1024;
/// Tells that an answer in CSV is not all.
static TRUNCATED: HeaderName = HeaderName::from_static("x-truncated");

/// Answers the statement of `?q=`.
pub(super) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    admit(&request, &context, &Needed::Sql)?;
    let media = Form::of(&request)?;
    let query = UrlQuery::of(request.query_string(), &["q", "params", "format"])?;
    let statement = query.get("q").ok_or_else(|| {
        ApiError::BadRequest(
            "q is missing: the statement, like ?q=SELECT+key+FROM+\"analytics/daily\"".into(),
        )
    })?;
    let params = query.get("params").map(|text| {
        serde_json::from_str(text).map_err(|error| {
            ApiError::BadRequest(format!("params must be a list or an object in JSON: {error}"))
        })
    });
    let given = Given { query: statement.to_owned(), params: params.transpose()? };
    answer(&request, &context, given, media).await
}

/// Answers the statement of the body.
pub(super) async fn post(
    request: HttpRequest,
    payload: Payload,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    admit(&request, &context, &Needed::Sql)?;
    let media = Form::of(&request)?;
    UrlQuery::of(request.query_string(), &["format"])?;
    let body = whole_body(&request, payload, BODY_LIMIT).await?;
    let text = std::str::from_utf8(&body)
        .map_err(|_| ApiError::BadRequest("the body must be text in UTF-8".to_owned()))?;
    let given =
        match media_type(&request).as_str() {
            "application/json" => serde_json::from_str(text).map_err(|error| {
                let form = "{\"query\":\"SELECT …\",\"params\":[…]}";
                ApiError::BadRequest(format!("the body must be JSON like {form}: {error}"))
            })?,
            "text/plain" | "application/sql" | "" => {
                refuse_json(&body)?;
                Given { query: text.to_owned(), params: None }
            }
            // curl calls every body a form.
            "application/x-www-form-urlencoded" => {
                refuse_json(&body)?;
                Given::of_form(text)?
            }
            _ => return Err(ApiError::BadRequest(
                "the body must be a statement (text/plain), or JSON with query and params (application/json)"
                    .into(),
            )),
        };
    answer(&request, &context, given, media).await
}

/// A statement as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    query: String,
    params: Option<Value>,
}

impl Given {
    /// The field `query` of a form; a body that is no such form is the statement itself.
    fn of_form(text: &str) -> Result<Given, ApiError> {
        let mut fields = form_urlencoded::parse(text.as_bytes());
        match fields.next() {
            Some((name, query)) if name == "query" => match fields.next() {
                None => Ok(Given { query: query.into_owned(), params: None }),
                Some((other, _)) => Err(ApiError::BadRequest(format!(
                    "the form has the unknown field {other:?}; it has only query"
                ))),
            },
            _ => Ok(Given { query: text.to_owned(), params: None }),
        }
    }
}

/// The form of an answer.
struct Form(Media);

impl Form {
    /// JSON or CSV, as `format` or `Accept` says.
    fn of(request: &HttpRequest) -> Result<Form, ApiError> {
        let format =
            form_urlencoded::parse(request.query_string().as_bytes()).find(|(name, _)| name == "format");
        match format.as_ref().map(|(_, value)| value.as_ref()) {
            None => negotiate(request.headers(), &[Media::Json, Media::Csv]).map(Form),
            Some("json") => Ok(Form(Media::Json)),
            Some("csv") => Ok(Form(Media::Csv)),
            Some(_) => Err(ApiError::BadRequest("format must be json or csv".into())),
        }
    }
}

async fn answer(
    request: &HttpRequest,
    context: &WorkerContext,
    given: Given,
    form: Form,
) -> Result<HttpResponse, ApiError> {
    let parameters = given.params.as_ref().map(Parameters::from_json).transpose()?.unwrap_or_default();
    Ok(represent(&run(request, context, &given.query, parameters).await?, &form))
}

/// Runs a statement, if the request may run statements and read the routes that the statement names.
pub(super) async fn run(
    request: &HttpRequest,
    context: &WorkerContext,
    statement: &str,
    parameters: Parameters,
) -> Result<Answer, ApiError> {
    admit(request, context, &Needed::Sql)?;
    let query = Query::parse(statement, parameters)?;
    let may_read = |route: &_| admit_reader(request, context, route).map(drop);
    let tables = EntityTables { live: &context.live, may_read };
    context.shared.sql.answer(query, &tables).await.map_err(refusal)
}

fn refusal(error: QueryError<EntityTableError<ApiError>>) -> ApiError {
    match error {
        QueryError::Statement(error) => error.into(),
        QueryError::Source(EntityTableError::Denied(error)) => error,
        QueryError::Source(EntityTableError::Store(error)) => ApiError::unread(error),
        QueryError::Busy => ApiError::Unavailable {
            detail: "two statements run already, and others wait; try again",
            source: None,
        },
    }
}

fn represent(answer: &Answer, form: &Form) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    secret(&mut response);
    if form.0 == Media::Csv && answer.truncated {
        response.insert_header((TRUNCATED.clone(), HeaderValue::from_static("true")));
        response.insert_header((ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_WITH_TRUNCATED.clone()));
    }
    let body = if form.0 == Media::Csv { answer.csv() } else { answer.json() };
    response.insert_header((CONTENT_TYPE, form.0.content_type())).body(body)
}
