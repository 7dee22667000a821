//! The badges of `hits.dwyl.com`: `/{user}/{repo}.svg` and the like, each of which counts. A repository is the page
//! `github.com/{user}/{repo}`.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::badge_parts::{COOKIE_PATH, picture, style};
use super::service_routes::ServiceRoutes;
use crate::badge::{Badge, BadgeText, Color, Style};
use crate::http::accept::negotiate;
use crate::http::caching::never_kept;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::hit_request::{is_hit, known_parameters, page_at, rules};
use crate::http::hits::{Hits, answer, count_if};
use crate::http::media::{HTML, JSON, Media};
use crate::http::pictures::{SVG, error_picture, restrict, share};
use crate::http::query::Query;

/// What the service says instead of a number if the path names no repository.
const INVALID: &str = "invalid url";
/// The longest name of a user or a repository.
const LONGEST: usize = 100;

static NOTHING_ELSE: HeaderValue = HeaderValue::from_static("default-src 'none'");

/// Adds the routes of the service, which fit almost every path of two parts.
pub(super) fn routes(routes: &mut ServiceRoutes<'_>) {
    routes.readable("dwyl:/{user}/{repo}", "/{user}/{file}", count);
    routes.readable("dwyl:/{etc}/{user}/{repo}", "/{etc}/{user}/{file}", count);
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Picture,
    Json,
    Page,
}

/// The JSON of a badge, in the order of the service.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint<'a> {
    schema_version: u8,
    label: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    style: Option<&'static str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<&'a str>,
}

/// Counts a hit of the repository and answers the number in the form that the path names.
async fn count(request: HttpRequest, context: Data<WorkerContext>) -> Result<HttpResponse, ApiError> {
    let (repository, form) = asked(&request)?;
    let answered = async {
        let Some(address) = repository.as_deref() else { return Ok(invalid(form)) };
        let query = known_parameters(&request, &["style", "color"])?;
        let look = Look::of(&query)?;
        let counts = is_hit(&request, rules(&context)?);
        let hits = count_if(&request, &context, counts, COOKIE_PATH, |rules| page_at(address, rules)).await?;
        Ok(counted(form, &look, hits))
    };
    match (answered.await, form) {
        (Err(error), Form::Picture) => Ok(error_picture(error)),
        (answered, _) => answered,
    }
}

/// The address of the repository, and the form of the answer. There is no address if the names are no names.
fn asked(request: &HttpRequest) -> Result<(Option<String>, Form), ApiError> {
    let part = |name| request.match_info().get(name).unwrap_or_default();
    let (user, file) = (part("user"), part("file"));
    let (repo, form) = match file.rsplit_once('.') {
        Some((repo, "svg")) => (repo, Form::Picture),
        Some((repo, "json")) => (repo, Form::Json),
        Some((repo, "html")) => (repo, Form::Page),
        _ => (file, plain_form(request)),
    };
    let is_valid = is_user(user) && is_repository(repo);
    Ok((is_valid.then(|| format!("github.com/{user}/{repo}")), form))
}

/// The form of an answer to a path without an ending: JSON for a client that wants that, else a page.
fn plain_form(request: &HttpRequest) -> Form {
    match negotiate(request.headers(), &[Media::Plain, Media::Json]) {
        Ok(Media::Json) => Form::Json,
        _ => Form::Page,
    }
}

/// Whether the text is letters and digits with single hyphens between them.
fn is_user(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    text.len() <= LONGEST && text.split('-').all(is_part)
}

/// Whether the text is of the characters of a repository. `.` and `..` would be another page.
fn is_repository(text: &str) -> bool {
    let usual = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(usual) && text != "." && text != ".."
}

/// How a badge should look. The colour is only for the JSON.
struct Look {
    style: Style,
    color: String,
}

impl Look {
    fn of(query: &Query) -> Result<Look, ApiError> {
        // The usual style of the service is `flat`; for a style that it does not know, it draws a picture with sharp corners.
        let usual = if query.get("style").is_none() { Style::Flat } else { Style::FlatSquare };
        let color = query.get("color").filter(|text| !text.is_empty()).unwrap_or("lightgrey");
        let _: Color = color.parse().map_err(|error| ApiError::BadRequest(format!("color {error}")))?;
        Ok(Look { style: style(query, usual), color: color.to_owned() })
    }
}

fn counted(form: Form, look: &Look, hits: Hits) -> HttpResponse {
    let number = hits.value.to_string();
    match form {
        Form::Picture => picture(&badge(look.style, &number, Color::BRIGHT_GREEN), hits.cookie),
        Form::Json => {
            let endpoint = Endpoint {
                schema_version: 1,
                label: "hits",
                style: Some(look.style.name()),
                message: &number,
                color: Some(&look.color),
            };
            let mut response = answer(hits.cookie, JSON.clone()).body(endpoint.json());
            share(response.headers_mut());
            response
        }
        Form::Page => {
            let page = &hits.page;
            let body = format!(
                "<!doctype html>\n<html lang=\"en\"><title>{number} hits</title>\n<p>{page}: <strong>{number}</strong> hits\n"
            );
            let mut response = answer(hits.cookie, HTML.clone()).body(body);
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, NOTHING_ELSE.clone());
            response
        }
    }
}

/// The answer of the service to a path that names no repository.
fn invalid(form: Form) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::NOT_FOUND);
    never_kept(&mut response);
    if form == Form::Picture {
        let mut response = response
            .insert_header(("content-type", SVG.clone()))
            .body(badge(Style::Flat, INVALID, Color::RED).svg());
        restrict(response.headers_mut());
        return response;
    }
    let endpoint = Endpoint { schema_version: 1, label: "hits", style: None, message: INVALID, color: None };
    let mut response = response.insert_header(("content-type", JSON.clone())).body(endpoint.json());
    share(response.headers_mut());
    response
}

impl Endpoint<'_> {
    fn json(&self) -> String {
        // Writing texts and a number as JSON cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn badge(style: Style, message: &str, color: Color) -> Badge {
    Badge {
        style,
        label: BadgeText::lossy("hits"),
        message: BadgeText::lossy(message),
        color,
        label_color: Color::GREY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_users_and_repositories_are_those_of_github() {
        for user in ["dwyl", "a", "A-1-b"] {
            assert!(is_user(user), "{user}");
        }
        for user in ["", "-a", "a-", "a--b", "a_b", "a.b", "é", "a b", &"a".repeat(101)] {
            assert!(!is_user(user), "{user}");
        }
        for repository in ["hits", ".github", "a_b-c.d", "..."] {
            assert!(is_repository(repository), "{repository}");
        }
        for repository in ["", ".", "..", "a b", "<b>", "%2e", "é", &"a".repeat(101)] {
            assert!(!is_repository(repository), "{repository}");
        }
    }
}
