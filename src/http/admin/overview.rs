//! `/admin`: what the service does now.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::answer::{Frame, page, renew};
use super::guard::administrator;
use super::login;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::home::number::ShownNumber;
use crate::http::metrics::Now;

/// The page.
#[derive(Template)]
#[template(path = "admin-overview.html")]
struct OverviewPage {
    frame: Frame,
    now: Now,
}

impl OverviewPage {
    fn shown(&self, number: &Option<u64>) -> String {
        ShownNumber(number.and_then(|number| i64::try_from(number).ok())).text()
    }

    fn number(&self, number: &u64) -> String {
        self.shown(&Some(*number))
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
    let now = context.shared.metrics.now(&context.live).await;
    let mut response = page(StatusCode::OK, &OverviewPage { frame: Frame::of(Some(&administrator)), now })?;
    renew(&request, &mut response, &administrator);
    Ok(response)
}
