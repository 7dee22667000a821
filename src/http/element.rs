//! `/live-counter.js`: the module with the element that pages of all sites load to show live numbers.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};

use super::caching::ONE_HOUR;
use super::home::assets::Asset;
use super::home::present;
use super::pictures::share;

static MODULE: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../../clients/js/live-counter.js");
    Asset::new("live-counter", "js", "text/javascript; charset=utf-8", text)
});

/// The module, compressed if the client accepts that; 304 if the client has it already.
pub(super) async fn module(request: HttpRequest) -> HttpResponse {
    let mut response = present(&request, &MODULE, &ONE_HOUR, |_| ());
    share(response.headers_mut());
    response
}
