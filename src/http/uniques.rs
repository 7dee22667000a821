//! `/nocount/uniques`: how many different visitors the site of a page had.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::civil::Date;
use serde::Serialize;

use super::caching::never_kept;
use super::context::WorkerContext;
use super::error::ApiError;
use super::hit_request::{page, rules};
use super::pictures::share;
use crate::domain::Topic;
use crate::store::Uniques;

/// The answer.
#[derive(Serialize)]
struct SiteUniques<'a> {
    site: &'a str,
    day: String,
    today: i64,
    all: i64,
    days: Vec<DayVisitors>,
}

/// The different visitors of a day that is over.
#[derive(Serialize)]
struct DayVisitors {
    day: String,
    visitors: i64,
}

/// Answers how many different visitors the site had in the present day, in each day before that is kept, and in all days, added up.
pub(super) async fn get(
    request: HttpRequest,
    context: Data<WorkerContext>,
) -> Result<HttpResponse, ApiError> {
    check_enabled(&context)?;
    let address = page(&request, rules(&context)?)?;
    let uniques = uniques(&context, &Topic::site(&address)).await?;
    let days = uniques.days.iter();
    let body = SiteUniques {
        site: address.site(),
        day: date(uniques.day),
        today: uniques.today,
        all: uniques.all,
        days: days.map(|day| DayVisitors { day: date(day.number), visitors: day.value }).collect(),
    };
    let mut response = HttpResponse::Ok();
    never_kept(&mut response);
    let mut response = response.json(body);
    share(response.headers_mut());
    Ok(response)
}

/// Checks that different visitors are counted; 404 if they are not.
pub(super) fn check_enabled(context: &WorkerContext) -> Result<(), ApiError> {
    if rules(context)?.uniques {
        return Ok(());
    }
    Err(ApiError::NotFound("different visitors are not counted here: hits.uniques is false".into()))
}

/// How many different visitors a site had; 404 if they are not counted.
pub(super) async fn uniques(context: &WorkerContext, site: &Topic) -> Result<Uniques, ApiError> {
    check_enabled(context)?;
    context.live.uniques(site).await.map_err(ApiError::unread)
}

/// The date of a day, as in `2026-11-28`. A number that another program has written may be the number of no date.
fn date(day: i64) -> String {
    let epoch = Date::constant(1970, 1, 1);
    let date =
        i32::try_from(day).ok().and_then(|day| epoch.checked_add(jiff::Span::new().try_days(day).ok()?).ok());
    date.map(|date| date.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        let told = [0, 1, 20_785, -1, i64::MAX].map(date);
        assert_eq!(told, ["1970-01-01", "1970-01-02", "2026-11-28", "1969-12-31", ""]);
    }
}
