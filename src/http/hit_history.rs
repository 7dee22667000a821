//! `/nocount/history` and `/nocount/chart.svg`: the past of the hits of a page or a site, for programs and as a picture.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::context::WorkerContext;
use super::error::ApiError;
use super::hit_answer::represent;
use super::hit_request::{known_parameters, page, rules};
use super::past::{PICTURE, PastDocument, TABLE, picture, table};
use super::pictures::{error_picture, restrict, share};
use super::query::Query;
use crate::domain::{Kind, PageAddress, Topic};
use crate::history::Subject;

/// What a request for the past asks about.
struct Asked {
    query: Query,
    page: PageAddress,
    kind: Kind,
    topic: Topic,
}

impl Asked {
    /// Reads the request; 400 if one of the `parameters` has no meaning. All other parameters are ignored.
    fn of(request: &HttpRequest, context: &WorkerContext, parameters: &[&str]) -> Result<Asked, ApiError> {
        let rules = rules(context)?;
        let query = known_parameters(request, &[&["of"], parameters].concat())?;
        let kind = query.one_of("of", &[("page", Kind::Page), ("site", Kind::Site)])?;
        let page = page(request, rules)?;
        let topic = if kind == Kind::Site { Topic::site(&page) } else { Topic::page(&page) };
        Ok(Asked { query, page, kind, topic })
    }

    fn subject(&self) -> Subject<'_> {
        match self.kind {
            Kind::Site => Subject::Site(self.page.site()),
            _ => Subject::Page(self.page.as_str()),
        }
    }
}

/// Answers the hits of the page or the site in the last hours or days, as JSON or CSV; 304 if the client has the answer already.
pub(super) async fn series(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    let asked = Asked::of(&request, &context, &TABLE)?;
    let document = table(request.headers(), &context, &asked.query, asked.subject(), &asked.topic).await?;
    let mut response = answer(&request, &context, &asked.topic, document);
    share(response.headers_mut());
    Ok(response)
}

/// Answers the hits of the page or the site in the last hours or days as a picture; 304 if the client has the picture already. An
/// error is a picture, too.
pub(super) async fn chart(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        let asked = Asked::of(&request, &context, &PICTURE)?;
        let document = picture(&context, &asked.query, asked.subject(), &asked.topic).await?;
        let mut response = answer(&request, &context, &asked.topic, document);
        restrict(response.headers_mut());
        Ok(response)
    };
    drawn.await.unwrap_or_else(error_picture)
}

fn answer(
    request: &HttpRequest,
    context: &WorkerContext,
    topic: &Topic,
    document: PastDocument,
) -> HttpResponse {
    let PastDocument { media_type, body, changes_in } = document;
    represent(request, context, topic, media_type, body, Some(changes_in))
}
