//! `/admin/counters`: searches counters, sets them and deletes them; and shows the sites and pages with the most hits.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use askama::Template;

use super::answer::{Frame, page, renew, see_other};
use super::form::Form;
use super::guard::{Administrator, administrator, sender_of_form};
use super::hits::{self, HitsList};
use crate::domain::{CounterId, Topic, parse_value};
use crate::http::context::WorkerContext;
use crate::http::counter_index::counters;
use crate::http::counter_path::check_known;
use crate::http::error::ApiError;
use crate::http::html::own_origin;
use crate::http::html::shown::{ShownNumber, sentence};
use crate::http::limit_checks::set;
use crate::http::query::Query;

/// How many counters a page has.
const LISTED: usize = 20;

/// The page.
#[derive(Template)]
#[template(path = "admin-counters.html")]
struct CountersPage {
    frame: Frame,
    origin: String,
    /// The beginning of the ids, as it was asked for.
    prefix: String,
    /// The counter that the form at the top is filled in with.
    id: String,
    value: String,
    listed: Vec<ListedCounter>,
    /// The sites and pages with the most hits; none on the answer to a form, and behind the first page.
    hits: Vec<HitsList>,
    /// The link to the next page.
    next: Option<String>,
    problem: String,
    notice: String,
}

struct ListedCounter {
    id: CounterId,
    number: ShownNumber,
}

/// What the browser asks the page for.
#[derive(Default)]
struct Asked {
    prefix: String,
    after: Option<CounterId>,
    /// The counter that was just set or deleted.
    changed: Option<CounterId>,
}

/// Answers the page.
pub(in crate::http) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let administrator = administrator(&request, &context)?;
    let query = Query::of(request.query_string(), &["prefix", "after", "changed"])?;
    let id = |name| query.get(name).and_then(|text| text.parse::<CounterId>().ok());
    let prefix = query.get("prefix").unwrap_or_default().trim().to_owned();
    let asked = Asked { prefix, after: id("after"), changed: id("changed") };
    let mut shown = list(&request, &context, &administrator, &asked).await?;
    if asked.prefix.is_empty() && asked.after.is_none() {
        shown.hits = hits::lists(&context).await;
    }
    if let Some(changed) = &asked.changed {
        shown.notice = notice(&context, changed).await;
    }
    let status = if shown.problem.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let mut response = page(status, &shown)?;
    renew(&request, &mut response, &administrator);
    Ok(response)
}

/// Sets or deletes a counter, and leads back to the page; the page says what is wrong with the form.
pub(in crate::http) async fn post(
    request: HttpRequest,
    payload: Payload,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let administrator = sender_of_form(&request, &context)?;
    let form = Form::read(&request, payload).await?;
    match change(&request, &context, &form).await {
        Ok(id) => {
            let mut back = form_urlencoded::Serializer::new(String::new());
            let prefix = form.get("prefix");
            if !prefix.is_empty() {
                back.append_pair("prefix", prefix);
            }
            Ok(see_other(&format!("/admin/counters?{}", back.append_pair("changed", id.as_str()).finish())))
        }
        Err(error) => {
            let asked = Asked { prefix: form.get("prefix").to_owned(), ..Asked::default() };
            // What has become of the form matters more than that the counters cannot be listed either.
            let listed = list(&request, &context, &administrator, &asked).await;
            let Ok(mut shown) = listed else { return Err(error) };
            (shown.id, shown.value) = (form.get("id").to_owned(), form.get("value").to_owned());
            shown.problem = sentence(&error.to_string());
            page(error.status_code(), &shown)
        }
    }
}

/// Does what the form says, and returns the counter.
async fn change(request: &HttpRequest, context: &WorkerContext, form: &Form) -> Result<CounterId, ApiError> {
    let id: CounterId = form.get("id").parse().map_err(|error| ApiError::BadRequest(format!("{error}")))?;
    check_known(context, &id)?;
    let topic = Topic::counter(&id);
    match form.get("action") {
        "set" => {
            let value = parse_value(form.get("value"))
                .map_err(|error| ApiError::BadRequest(format!("the value {error}")))?;
            set(request, context, topic, value, None).await?;
        }
        "delete" => {
            context.live.delete(topic, None).await?;
        }
        _ => return Err(ApiError::BadRequest("action must be set or delete".to_owned())),
    }
    Ok(id)
}

async fn list(
    request: &HttpRequest,
    context: &WorkerContext,
    administrator: &Administrator,
    asked: &Asked,
) -> Result<CountersPage, ApiError> {
    let is_prefix = |text: &str| format!("{text}x").parse::<CounterId>();
    let (found, problem) = match is_prefix(&asked.prefix) {
        Ok(_) => {
            let found = counters(context, &asked.prefix, asked.after.clone(), LISTED).await;
            (found.map_err(ApiError::unread)?, String::new())
        }
        Err(error) => ((Vec::new(), None), sentence(&format!("no id of a counter begins so: {error}"))),
    };
    let (listed, after) = found;
    let next = after.map(|after| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("prefix", &asked.prefix).append_pair("after", after.as_str());
        format!("/admin/counters?{}", query.finish())
    });
    Ok(CountersPage {
        frame: Frame::of(Some(administrator)),
        origin: own_origin(request),
        prefix: asked.prefix.clone(),
        id: String::new(),
        value: String::new(),
        listed: listed
            .into_iter()
            .map(|(id, value)| ListedCounter { id, number: ShownNumber(Some(value)) })
            .collect(),
        hits: Vec::new(),
        next,
        problem,
        notice: String::new(),
    })
}

/// Says what a counter is now that it was changed.
async fn notice(context: &WorkerContext, id: &CounterId) -> String {
    match context.live.read(Topic::counter(id)).await {
        Ok(reading) => format!("{id} is now {}.", ShownNumber(Some(reading.value())).text()),
        Err(_) => format!("{id} was changed."),
    }
}
