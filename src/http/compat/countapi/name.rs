//! Reads which counter a request is about.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, ORIGIN, REFERER};
use url::Url;

use crate::domain::{CountApiName, CountApiWord};
use crate::http::error::ApiError;

/// The word that stands for the host of the page that asks.
const HOST: &str = ":HOST:";
/// The word that stands for the path of the page that asks.
const PATHNAME: &str = ":PATHNAME:";
/// What Abacus calls it.
const PATH: &str = ":PATH:";

/// The name in the path: a key, or a namespace and a key.
pub(super) fn name_in_path(request: &HttpRequest) -> Result<CountApiName, ApiError> {
    let text = request.match_info().get("name").unwrap_or_default();
    match text.split_once('/') {
        Some((namespace, key)) => name(request, Some(namespace), key),
        None => name(request, None, text),
    }
}

/// The name that these texts stand for; 400 if one of them is no word.
pub(super) fn name(
    request: &HttpRequest,
    namespace: Option<&str>,
    key: &str,
) -> Result<CountApiName, ApiError> {
    let namespace = namespace.map(|text| word(request, text)).transpose()?;
    let namespace = namespace.unwrap_or_else(CountApiWord::default_namespace);
    Ok(CountApiName { namespace, key: word(request, key)? })
}

fn word(request: &HttpRequest, text: &str) -> Result<CountApiWord, ApiError> {
    match text {
        HOST => host_of_page(request),
        PATHNAME | PATH => path_of_page(request),
        // Programs that were written for CountAPI look for these words.
        _ => text.parse().map_err(|error| ApiError::BadRequest(format!("Malformed Namespace/Key: {error}"))),
    }
}

fn host_of_page(request: &HttpRequest) -> Result<CountApiWord, ApiError> {
    let page = address(request, ORIGIN).or_else(|| address(request, REFERER));
    let host = page.as_ref().and_then(Url::host_str);
    host.map(CountApiWord::lossy).ok_or_else(|| missing(HOST, "the host", "neither Origin nor Referer names"))
}

/// CountAPI takes the slashes out of a path. Other characters that no key has are taken out with them.
fn path_of_page(request: &HttpRequest) -> Result<CountApiWord, ApiError> {
    let page = address(request, REFERER);
    page.map(|page| CountApiWord::lossy(page.path()))
        .ok_or_else(|| missing(PATHNAME, "the path", "no Referer names"))
}

/// The address in a header; `None` if there is none, as in `Origin: null`.
fn address(request: &HttpRequest, name: HeaderName) -> Option<Url> {
    let page: Url = request.headers().get(name)?.to_str().ok()?.parse().ok()?;
    page.has_host().then_some(page)
}

fn missing(word: &str, meant: &str, problem: &str) -> ApiError {
    ApiError::BadRequest(format!(
        "Malformed Namespace/Key: {word} stands for {meant} of the page that asks, and {problem} one in this request"
    ))
}
