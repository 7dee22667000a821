//! `/fields/badge.svg` and `/fields/chart.svg`: the number in a field of entities as a badge and as a chart. Who may read the entities may see
//! the pictures; no cache keeps them.

pub(super) mod newest;
mod number;

use actix_web::http::header::{CONTENT_TYPE, ETAG};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use newest::{FieldNumber, FieldNumbers, MOST};
use number::{is_within, number_of};

use super::badge_query::BadgeLook;
use super::caching::{begin, content_etag, secret};
use super::context::WorkerContext;
use super::error::ApiError;
use super::past::theme;
use super::pictures::{SVG, error_picture, restrict};
use super::query::Query;
use super::route_access::admit_reader;
use crate::badge::BadgeText;
use crate::domain::{Document, EntityKey, Route, Topic};
use crate::history::{Form, NamedChart};
use crate::store::Body;

/// How many entities a chart shows if the request does not say it.
const USUAL: u16 = 24;
/// The longest name of a field, in bytes.
const LONGEST_NAME: usize = Document::MAX_NAME;

/// Answers the number of a field as a badge: that of one entity, or the sum of the last ones. An error is a picture, too.
pub(super) async fn badge(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        let known: Vec<&str> =
            BadgeLook::PARAMETERS.into_iter().chain(["type", "key", "field", "last"]).collect();
        let query = Query::of(request.query_string(), &known)?;
        let Field { route, name } = Field::of(&query)?;
        // A name that a badge cannot show is no label.
        let label = name.parse::<BadgeText>().map_or("value", |_| name);
        let look = BadgeLook::with_label(&query, label)?;
        let key = query.get("key").map(key).transpose()?;
        let last = query.number("last", 1..=MOST)?;
        admit_reader(&request, &context, &route)?;
        let number = match (key, last) {
            (Some(_), Some(_)) => {
                let problem =
                    "key names one entity, and last asks for several: only one of them can be given";
                return Err(ApiError::BadRequest(problem.into()));
            }
            (Some(key), None) => {
                let reading =
                    context.live.read(Topic::entity(&route, &key)).await.map_err(ApiError::unread)?;
                let document =
                    if let Body::Document(document) = &reading.body { Some(&**document) } else { None };
                number_of(document, name)
            }
            (None, last) => {
                let numbers = numbers(&context, &route, name).await?;
                sum(last_of(&numbers, last.unwrap_or(1)))
            }
        };
        Ok(answer(&request, look.badge(number).svg()))
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// Answers the numbers of a field in the last entities of a route as a picture. An error is a picture, too.
pub(super) async fn chart(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        let query = Query::of(request.query_string(), &["type", "field", "last", "form", "theme"])?;
        let Field { route, name } = Field::of(&query)?;
        let last = query.number("last", 1..=MOST)?.unwrap_or(USUAL);
        let form = query.one_of("form", &[("bars", Form::Bars), ("line", Form::Line)])?;
        let theme = theme(&query)?;
        admit_reader(&request, &context, &route)?;
        let numbers = numbers(&context, &route, name).await?;
        let (title, numbers) = (BadgeText::lossy(name), last_of(&numbers, last));
        Ok(answer(&request, NamedChart { title: title.as_str(), numbers, form, theme }.svg()))
    };
    drawn.await.unwrap_or_else(error_picture)
}

/// A field of the entities of a route.
struct Field<'a> {
    route: Route,
    name: &'a str,
}

impl<'a> Field<'a> {
    /// The field that the query names; 400 if it names none.
    fn of(query: &'a Query) -> Result<Self, ApiError> {
        let missing = |name: &str, example: &str| {
            ApiError::BadRequest(format!("the query must have {name}, such as {name}={example}"))
        };
        let route = query.get("type").ok_or_else(|| missing("type", "analytics/daily"))?;
        let route = route.parse().map_err(|error| ApiError::BadRequest(format!("type: {error}")))?;
        let name = query.get("field").filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| missing("field", "page_views"))?;
        if name.len() > LONGEST_NAME {
            return Err(ApiError::BadRequest(format!("field has at most {LONGEST_NAME} bytes")));
        }
        Ok(Field { route, name })
    }
}

fn key(text: &str) -> Result<EntityKey, ApiError> {
    text.parse().map_err(|error| ApiError::BadRequest(format!("{error}")))
}

/// The numbers in the field of the newest entities of the route, as many as an answer can have.
async fn numbers(context: &WorkerContext, route: &Route, name: &str) -> Result<FieldNumbers, ApiError> {
    context.shared.newest_fields.read(&context.live, route, name).await.map_err(ApiError::unread)
}

/// The last ones, at most `count` of them.
fn last_of(numbers: &[FieldNumber], count: u16) -> &[FieldNumber] {
    &numbers[numbers.len().saturating_sub(usize::from(count))..]
}

/// The sum of the numbers; `None` if one of them is not known, or if the sum is too large to be shown.
fn sum(numbers: &[FieldNumber]) -> Option<i64> {
    // 124 numbers within the limit are far from the ends of an i64.
    numbers.iter().map(|(_, number)| *number).sum::<Option<i64>>().filter(is_within)
}

/// Answers a picture, or 304 if the client has it already.
fn answer(request: &HttpRequest, body: String) -> HttpResponse {
    let etag = content_etag(&body);
    let (mut response, is_known) = begin(request, &etag);
    secret(&mut response);
    response.insert_header((ETAG, etag));
    let mut response = if is_known {
        response.finish()
    } else {
        response.insert_header((CONTENT_TYPE, SVG.clone())).body(body)
    };
    restrict(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LIMIT;

    #[test]
    fn a_sum_is_known_if_all_its_parts_are() {
        let numbers = |list: &[Option<i64>]| -> Vec<FieldNumber> {
            list.iter().map(|number| (String::new(), *number)).collect()
        };
        assert_eq!(sum(&numbers(&[Some(40), Some(2), Some(-1)])), Some(41));
        assert_eq!(sum(&numbers(&[])), Some(0));
        assert_eq!(sum(&numbers(&[Some(1), None])), None);
        assert_eq!(sum(&numbers(&[Some(LIMIT), Some(1)])), None);
        assert_eq!(sum(&numbers(&[Some(LIMIT); 124])), None);
    }
}
