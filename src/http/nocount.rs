//! `/nocount` and `/nocount/site`: the hits of a page or of a site in bare digits, as JSON, or as a stream. With several addresses, the
//! JSON and the stream are about all of them.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::accept::form_of_number;
use super::caching::NamedBy;
use super::context::WorkerContext;
use super::error::ApiError;
use super::hit_request::{NO_PAGE, counted_page, named_in_query, referer, rules};
use super::media::Media;
use super::pictures::share;
use super::streams::Holder;
use super::topic_list::{Naming, TopicList};
use crate::domain::Topic;

/// Answers how many hits the page has.
pub(super) async fn page(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    answer(&request, &context, Naming::Pages).await
}

/// Answers how many hits all pages of the page's site have.
pub(super) async fn site(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    answer(&request, &context, Naming::Sites).await
}

async fn answer(
    request: &HttpRequest,
    context: &WorkerContext,
    naming: Naming,
) -> Result<HttpResponse, ApiError> {
    let media = form_of_number(request.headers());
    let (list, named_by) = list(request, context, naming, media)?;
    if media == Media::Stream {
        let holder = Holder::of(request, context)?;
        return list.stream(request, context, holder, named_by).await;
    }
    let readings = context.live.read_all(list.topics()).await.map_err(ApiError::unread)?;
    let mut response = HttpResponse::Ok();
    context.shared.cache.hits(&mut response, list.topics(), named_by);
    response.insert_header((CONTENT_TYPE, media.content_type()));
    let mut response = if media == Media::Json {
        let mut objects = list.objects(&readings);
        response.body(match objects.len() {
            1 => objects.remove(0),
            _ => format!("[{}]", objects.join(",")),
        })
    } else {
        response.body(readings[0].value().to_string())
    };
    share(response.headers_mut());
    Ok(response)
}

/// The pages or the sites that the request names: in its query, else in its `Referer`. Digits have room for one number, so for them
/// only the first address counts.
fn list(
    request: &HttpRequest,
    context: &WorkerContext,
    naming: Naming,
    media: Media,
) -> Result<(TopicList, NamedBy), ApiError> {
    let rules = rules(context)?;
    let mut texts: Vec<String> = named_in_query(request).collect();
    let named_by = if texts.is_empty() { NamedBy::Referer } else { NamedBy::Url };
    if texts.is_empty() {
        texts.extend(referer(request));
    }
    if media == Media::Plain {
        texts.truncate(1);
    }
    if texts.is_empty() {
        return Err(ApiError::NotFound(NO_PAGE.into()));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let list = TopicList::parse(naming, &texts, |text| {
        let page = counted_page(text, rules)?;
        Ok(match naming {
            Naming::Sites => (page.site().into(), Topic::site(&page)),
            _ => (page.as_str().into(), Topic::page(&page)),
        })
    })?;
    Ok((list, named_by))
}
