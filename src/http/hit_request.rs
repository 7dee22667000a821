//! Reads which page a request for hits is about, and whether the request is a hit.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, REFERER, USER_AGENT};

use super::context::WorkerContext;
use super::error::ApiError;
use super::query::Query;
use crate::domain::PageAddress;
use crate::hits::HitRules;

pub(super) const NO_PAGE: &str = "which page is meant? Add its address to the query, as in ?url=www.example.com/page: the request has no \
                       Referer that names the page";

/// Headers by which a browser says that it only prepares for a visit.
const PREPARATIONS: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// The rules for hits; 404 if hits are not counted here.
pub(super) fn rules(context: &WorkerContext) -> Result<&HitRules, ApiError> {
    let off = || ApiError::NotFound("hits are not counted here: hits.enabled is false".into());
    context.shared.hits.as_ref().ok_or_else(off)
}

/// The page that the request is about: the page of `url` in the query, else the page that has sent the request. 404 if the
/// request names no page, 400 if the text is no address, 403 if the page is not counted here.
///
/// Other parameters are ignored, and so is a second `url`: a page that gives an address without encoding it has the parameters of
/// that address in its query.
pub(super) fn page(request: &HttpRequest, rules: &HitRules) -> Result<PageAddress, ApiError> {
    let text = named_in_query(request).next().or_else(|| referer(request));
    counted_page(&text.unwrap_or_default(), rules)
}

/// The texts of all `url` in the query.
pub(super) fn named_in_query(request: &HttpRequest) -> impl Iterator<Item = String> {
    let query = form_urlencoded::parse(request.query_string().as_bytes());
    query.filter(|(name, _)| name == "url").map(|(_, url)| url.into_owned())
}

/// The text of the header `Referer`.
pub(super) fn referer(request: &HttpRequest) -> Option<String> {
    Some(String::from_utf8_lossy(request.headers().get(REFERER)?.as_bytes()).into_owned())
}

/// The page of this address; 404 if the text is empty, 400 if it is no address, 403 if the page is not counted here.
pub(super) fn counted_page(text: &str, rules: &HitRules) -> Result<PageAddress, ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::NotFound(NO_PAGE.into()));
    }
    page_at(text, rules)
}

/// The page of this address; 400 if the text is no address, 403 if the page is not counted here.
pub(super) fn page_at(text: &str, rules: &HitRules) -> Result<PageAddress, ApiError> {
    let address: PageAddress = text.parse().map_err(|error| ApiError::BadRequest(format!("{error}")))?;
    rules.check(&address).map_err(|error| ApiError::Forbidden(error.to_string()))?;
    Ok(address)
}

/// Whether the query of the request names a page, so that the page that has sent the request does not matter.
pub(super) fn is_named(request: &HttpRequest) -> bool {
    named_in_query(request).next().is_some()
}

/// The parameters of the request that are `known`; 400 if one of them is given twice. All others are ignored: they may belong to an
/// address that is not encoded.
pub(super) fn known_parameters(request: &HttpRequest, known: &[&str]) -> Result<Query, ApiError> {
    let mut parameters = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if known.contains(&&*name) {
            parameters.append_pair(&name, &value);
        }
    }
    Query::of(&parameters.finish(), known)
}

/// Whether a visitor stands behind the request: not where only the headers are asked for, where a browser prepares for a visit,
/// or where a bot asks.
pub(super) fn is_hit(request: &HttpRequest, rules: &HitRules) -> bool {
    request.method() == Method::GET && is_visit(request, rules)
}

/// Whether a visitor stands behind the request, whatever its method is.
pub(super) fn is_visit(request: &HttpRequest, rules: &HitRules) -> bool {
    let headers = request.headers();
    let agent = headers.get(USER_AGENT).map(|agent| agent.as_bytes()).unwrap_or_default();
    !is_preparation(headers) && !rules.bots.is_bot(agent)
}

/// Whether a browser only prepares for a visit, so that no visitor may ever see the answer.
pub(super) fn is_preparation(headers: &HeaderMap) -> bool {
    let says = |word: &str| {
        let word = word.split(';').next().unwrap_or_default().trim();
        ["prefetch", "prerender", "preview"].iter().any(|known| word.eq_ignore_ascii_case(known))
    };
    let mut values = PREPARATIONS.iter().flat_map(|name| headers.get_all(*name));
    values.any(|value| value.to_str().is_ok_and(|text| text.split(',').any(says)))
}
