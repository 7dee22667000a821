//! Looks up what the tool of the home page shows.

use actix_web::ResponseError;
use actix_web::http::StatusCode;

use super::entry::Entry;
use super::tag_form::TagForm;
use super::tool::Tool;
use crate::domain::{PageAddress, Topic};
use crate::hits::HitRules;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::hit_request::page_at;

/// The tool for a request with this query, and the status of the answer; no tool if hits are not counted here. The page shows what is
/// wrong with the form, and its status says that something is wrong. `origin` is the address of this service.
pub(super) async fn tool(context: &WorkerContext, query: &str, origin: &str) -> (StatusCode, Option<Tool>) {
    let Some(rules) = &context.shared.hits else { return (StatusCode::OK, None) };
    let unknown = [("day", context.shared.history.days == 0), ("visitors", !rules.uniques)];
    let without = unknown.into_iter().filter(|(_, is_unknown)| *is_unknown).map(|(word, _)| word);
    let (form, checked) = TagForm::of(query, without.collect());
    match checked.and_then(|()| page(form.get("url"), rules)) {
        Ok(None) => {
            let example = page(origin, rules).ok().flatten();
            (StatusCode::OK, Some(Tool::empty(form, example.as_ref())))
        }
        Ok(Some(page)) => {
            let is_site_shown = rules.check_site(page.site()).is_ok();
            let topics = [Topic::page(&page), Topic::site(&page)];
            // The page is shown without numbers if the store does not answer.
            let readings = context.live.read_all(&topics).await.unwrap_or_default();
            let value = |index: usize| readings.get(index).map(|reading| reading.value());
            let found = [
                Some(Entry { title: "The page", ..Entry::page(&page, value(0)) }),
                is_site_shown.then(|| Entry { title: "Its site", ..Entry::site(&page, value(1)) }),
            ];
            (StatusCode::OK, Some(Tool::found(form, &page, found.into_iter().flatten().collect())))
        }
        Err(error) => (error.status_code(), Some(Tool::refused(form, &error.to_string()))),
    }
}

/// The page with this address; `None` if no address is given.
fn page(url: &str, rules: &HitRules) -> Result<Option<PageAddress>, ApiError> {
    if url.trim().is_empty() {
        return Ok(None);
    }
    page_at(url, rules).map(Some)
}
