//! The routes of busuanzi, and those of Vercount, for pages that show the hits of a page and of its site: a script, the numbers as a
//! script that calls a function (JSONP), and the numbers as JSON.

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use super::badge_parts::COOKIE_PATH;
use super::jsonp::{Callback, SCRIPT};
use super::service_routes::ServiceRoutes;
use crate::domain::{PageAddress, Topic};
use crate::hits::HitRules;
use crate::http::amount::BODY_LIMIT;
use crate::http::body::whole_body;
use crate::http::caching::{FIVE_MINUTES, begin, content_etag};
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::hit_request::{is_hit, is_visit, page, page_at, rules};
use crate::http::hits::{Hits, answer, count_if};
use crate::http::media::JSON;
use crate::http::pictures::share;
use crate::http::routing::{get, head, post, resource};
use crate::http::uniques::uniques;

/// The script that pages load. It is no script of busuanzi's.
const PAGE_SCRIPT: &str = include_str!("busuanzi.js");
/// What the answers call the version of the service.
const VERSION: f64 = 2.4;

/// Adds the routes of the services.
pub(super) fn routes(routes: &mut ServiceRoutes<'_>) {
    const METHODS: &str = "GET, HEAD, POST, OPTIONS";
    routes.readable("busuanzi:/busuanzi", "/busuanzi", call);
    for (template, path) in [
        ("busuanzi:/busuanzi/2.3/busuanzi.pure.mini.js", "/busuanzi/2.3/busuanzi.pure.mini.js"),
        ("busuanzi:/js", "/js"),
    ] {
        routes.readable(template, path, script);
    }
    for (template, path) in [("busuanzi:/log", "/log"), ("busuanzi:/api/v1/log", "/api/v1/log")] {
        let resource = resource(path).method(post().to(log)).method(get().to(log)).method(head().to(log));
        routes.resource(template, METHODS, resource);
    }
    let second = |request, context, payload| log_as(request, context, payload, enveloped);
    let resource =
        resource("/api/v2/log").method(post().to(second)).method(get().to(second)).method(head().to(second));
    routes.resource("busuanzi:/api/v2/log", METHODS, resource);
}

/// The numbers of a page and its site.
#[derive(Clone, Copy, Serialize)]
struct Numbers {
    /// How many visitors the site has had; 0 if visitors are not counted.
    site_uv: i64,
    page_pv: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<f64>,
    site_pv: i64,
}

/// The script of the pages, which is the same for all of them.
async fn script(request: HttpRequest) -> HttpResponse {
    let etag = content_etag(PAGE_SCRIPT);
    let (mut response, is_known) = begin(&request, &etag);
    response.insert_header((CACHE_CONTROL, FIVE_MINUTES.clone())).insert_header((ETAG, etag));
    if is_known {
        return response.finish();
    }
    let mut response = response.insert_header((CONTENT_TYPE, SCRIPT.clone())).body(PAGE_SCRIPT);
    share(response.headers_mut());
    response
}

/// Counts a hit of the page that `url` names, or that has sent the request, and answers the numbers as a script that calls the
/// function of `jsonpCallback`.
async fn call(request: HttpRequest, context: Data<WorkerContext>) -> Result<HttpResponse, ApiError> {
    let mut query = form_urlencoded::parse(request.query_string().as_bytes());
    let name = query.find(|(name, _)| name == "jsonpCallback").map(|(_, value)| value);
    let Some(name) = name else {
        return Err(ApiError::BadRequest("jsonpCallback is missing: name the function to call".into()));
    };
    let callback = Callback::parse("jsonpCallback", &name)?;
    let counts = is_hit(&request, rules(&context)?);
    let hits = count_if(&request, &context, counts, COOKIE_PATH, |rules| page(&request, rules)).await?;
    let numbers = Numbers { version: Some(VERSION), ..numbers(&context, &hits).await? };
    let json = serde_json::to_string(&numbers).unwrap_or_default();
    let mut response = answer(hits.cookie, SCRIPT.clone()).body(callback.try_call(&json));
    share(response.headers_mut());
    Ok(response)
}

/// What Vercount's script sends: the page. Whether the visitor is a new one is decided here, so other members are ignored.
#[derive(Deserialize)]
struct Visited {
    url: String,
}

/// Answers the numbers as the first version of Vercount does; a POST counts.
async fn log(
    request: HttpRequest,
    context: Data<WorkerContext>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    log_as(request, context, payload, |numbers| serde_json::to_string(&numbers)).await
}

async fn log_as(
    request: HttpRequest,
    context: Data<WorkerContext>,
    payload: Payload,
    write: impl Fn(Numbers) -> serde_json::Result<String>,
) -> Result<HttpResponse, ApiError> {
    let is_post = request.method() == Method::POST;
    let counts = is_post && is_visit(&request, rules(&context)?);
    let sent = if is_post { Some(visited(&request, payload).await?) } else { None };
    let named = |rules: &HitRules| -> Result<PageAddress, ApiError> {
        match &sent {
            Some(Visited { url }) => page_at(url, rules),
            None => page(&request, rules),
        }
    };
    let hits = count_if(&request, &context, counts, COOKIE_PATH, named).await?;
    let body = write(numbers(&context, &hits).await?).unwrap_or_default();
    let mut response = answer(hits.cookie, JSON.clone()).body(body);
    share(response.headers_mut());
    Ok(response)
}

async fn visited(request: &HttpRequest, payload: Payload) -> Result<Visited, ApiError> {
    let body = whole_body(request, payload, BODY_LIMIT).await?;
    serde_json::from_slice(&body).map_err(|error| {
        ApiError::BadRequest(format!(
            "the body must be JSON like {{\"url\":\"https://example.com/a\"}}: {error}"
        ))
    })
}

/// The numbers in the form of the second version of Vercount.
fn enveloped(numbers: Numbers) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Envelope {
        status: &'static str,
        message: &'static str,
        data: Numbers,
    }
    serde_json::to_string(&Envelope {
        status: "success",
        message: "Data updated successfully",
        data: numbers,
    })
}

async fn numbers(context: &WorkerContext, hits: &Hits) -> Result<Numbers, ApiError> {
    let topic = Topic::site(&hits.page);
    let site = context.live.read(topic.clone()).await.map_err(ApiError::unread)?;
    let site_uv = if rules(context)?.uniques { uniques(context, &topic).await?.all } else { 0 };
    Ok(Numbers { site_uv, page_pv: hits.value, version: None, site_pv: site.value() })
}
