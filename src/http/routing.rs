//! Resources, and how a request finds its handler.
//!
//! actix-web would search one regular expression after the other for a path with a name in it, and would put each request through
//! six boxed futures. Here it is a comparison of texts and two of them: a quarter of the instructions of a GET less.

use std::rc::Rc;

use actix_service::{ServiceFactory, fn_service};
use actix_web::dev::{AppService, HttpServiceFactory, ResourceDef, ServiceRequest, ServiceResponse};
use actix_web::guard::Guard;
use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder};
use futures_util::future::LocalBoxFuture;

use super::cors::CorsPolicy;
use super::metrics::RouteMetrics;
use super::middleware::observe;

/// Answers a request.
type Handle = Box<dyn Fn(ServiceRequest) -> LocalBoxFuture<'static, ServiceResponse>>;

/// Makes a handler answer requests. An argument that it cannot get from the request is an answer, too.
fn handle<F, Args>(handler: F) -> Handle
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Box::new(move |request| {
        let handler = handler.clone();
        Box::pin(async move {
            let (request, mut payload) = request.into_parts();
            let response = match Args::from_request(&request, &mut payload).await {
                Ok(arguments) => handler.call(arguments).await.respond_to(&request).map_into_boxed_body(),
                Err(error) => HttpResponse::from_error(error),
            };
            ServiceResponse::new(request, response)
        })
    })
}

/// A method of a resource, with its handler.
pub(super) struct MethodHandler {
    method: Method,
    handle: Handle,
}

/// A method that has no handler yet.
pub(super) struct MethodWithoutHandler(Method);

pub(super) fn get() -> MethodWithoutHandler {
    method(Method::GET)
}

pub(super) fn head() -> MethodWithoutHandler {
    method(Method::HEAD)
}

pub(super) fn post() -> MethodWithoutHandler {
    method(Method::POST)
}

pub(super) fn put() -> MethodWithoutHandler {
    method(Method::PUT)
}

pub(super) fn delete() -> MethodWithoutHandler {
    method(Method::DELETE)
}

pub(super) fn method(method: Method) -> MethodWithoutHandler {
    MethodWithoutHandler(method)
}

impl MethodWithoutHandler {
    /// Requests with this method are answered by `handler`.
    pub(super) fn to<F, Args>(self, handler: F) -> MethodHandler
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        MethodHandler { method: self.0, handle: handle(handler) }
    }
}

/// A resource without what all requests go through.
pub(super) struct Resource {
    pattern: String,
    guard: Option<Box<dyn Guard>>,
    methods: Vec<MethodHandler>,
}

/// A resource at the paths that fit `pattern`.
pub(super) fn resource(pattern: impl Into<String>) -> Resource {
    Resource { pattern: pattern.into(), guard: None, methods: Vec::new() }
}

impl Resource {
    /// Only requests that fit `guard`, too, are for this resource. Resources of [`Below`] have none.
    pub(super) fn guard(mut self, guard: impl Guard + 'static) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }

    /// Adds a method.
    pub(super) fn method(mut self, method: MethodHandler) -> Self {
        self.methods.push(method);
        self
    }

    /// Answers all other methods by `handler`, counts all requests in `metrics`, and answers pages of other origins as `cors` says.
    pub(super) fn finish<F, Args>(
        self,
        handler: F,
        metrics: RouteMetrics,
        cors: CorsPolicy,
    ) -> FinishedResource
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let Resource { pattern, guard, methods } = self;
        FinishedResource {
            pattern,
            guard,
            service: Rc::new(ResourceService { methods, other: handle(handler), metrics, cors }),
        }
    }
}

/// A resource with everything that its requests go through.
pub(super) struct FinishedResource {
    pattern: String,
    guard: Option<Box<dyn Guard>>,
    service: Rc<ResourceService>,
}

impl FinishedResource {
    /// The service that answers the requests for this resource.
    pub(super) fn into_service(
        self,
    ) -> impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    > + 'static {
        fn_service(move |request| ResourceService::answer(Rc::clone(&self.service), request))
    }
}

impl HttpServiceFactory for FinishedResource {
    fn register(mut self, config: &mut AppService) {
        let (pattern, guard) = (ResourceDef::new(self.pattern.as_str()), self.guard.take());
        config.register_service(pattern, guard.map(|guard| vec![guard]), self.into_service(), None);
    }
}

/// Answers the requests for a resource.
struct ResourceService {
    methods: Vec<MethodHandler>,
    other: Handle,
    metrics: RouteMetrics,
    cors: CorsPolicy,
}

impl ResourceService {
    /// Answers a request.
    async fn answer(self: Rc<Self>, request: ServiceRequest) -> Result<ServiceResponse, actix_web::Error> {
        let method = self.methods.iter().find(|known| known.method == *request.method());
        let handle = method.map_or(&self.other, |known| &known.handle);
        Ok(observe(&self.metrics, self.cors, request, handle).await)
    }
}

/// The resources below a prefix. The pattern of each begins with the prefix, and has behind it a fixed text, or `/{name}` and a fixed
/// text. If that text is `/`, the slash is optional, and the name may be empty. All other paths below the prefix are answered by
/// `missing`.
pub(super) struct Below {
    pub(super) prefix: &'static str,
    pub(super) resources: Vec<FinishedResource>,
    pub(super) missing: FinishedResource,
}

impl HttpServiceFactory for Below {
    fn register(self, config: &mut AppService) {
        let (mut fixed, mut named) = (Vec::new(), Vec::new());
        for FinishedResource { pattern, service, .. } in self.resources {
            let rest = pattern.strip_prefix(self.prefix).unwrap_or(&pattern);
            match rest.strip_prefix("/{").and_then(|rest| rest.split_once('}')) {
                Some((_, behind)) => named.push((behind.to_owned(), service)),
                None => fixed.push((rest.to_owned(), service)),
            }
        }
        let missing = self.missing.service;
        let answer = fn_service(move |request: ServiceRequest| {
            let found = find(&fixed, &named, request.match_info().unprocessed());
            ResourceService::answer(Rc::clone(found.unwrap_or(&missing)), request)
        });
        config.register_service(ResourceDef::prefix(self.prefix), None, answer, None);
    }
}

/// A resource at a path and at all paths below it, of which the handler reads the rest.
pub(super) struct Tail {
    pub(super) prefix: &'static str,
    pub(super) resource: FinishedResource,
}

impl HttpServiceFactory for Tail {
    fn register(self, config: &mut AppService) {
        let resource = self.resource.into_service();
        config.register_service(ResourceDef::prefix(self.prefix), None, resource, None);
    }
}

/// The name in the path of a resource of [`Below`], decoded; `prefix` ends with a slash.
pub(super) fn name_behind<'a>(prefix: &str, request: &'a HttpRequest) -> &'a str {
    let rest = request.match_info().as_str().strip_prefix(prefix).unwrap_or_default();
    first_slash(rest).map_or(rest, |end| &rest[..end])
}

/// The place of the first slash. In so short texts it is found sooner byte by byte than by the search of the standard library.
fn first_slash(text: &str) -> Option<usize> {
    text.bytes().position(|byte| byte == b'/')
}

/// Finds what fits the part of a path behind the prefix (see [`Below`]).
fn find<'a, T>(fixed: &'a [(String, T)], named: &'a [(String, T)], rest: &str) -> Option<&'a T> {
    let at = |places: &'a [(String, T)], text: &str| {
        places.iter().find(|place| place.0 == text).map(|place| &place.1)
    };
    at(fixed, rest).or_else(|| {
        let rest = rest.strip_prefix('/')?;
        match first_slash(rest) {
            None if rest.is_empty() => None,
            None => at(named, "/"),
            Some(0) if rest != "/" => None,
            Some(end) => at(named, &rest[end..]),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_fixed_text_or_a_name_behind_the_prefix() {
        let places = |list: [(&str, &'static str); 2]| list.map(|(text, place)| (text.to_owned(), place));
        let fixed = places([("", "no slash"), ("/", "list")]);
        let named = places([("/", "one"), ("/recover", "recover")]);
        for (rest, expected) in [
            ("", Some("no slash")),
            ("/", Some("list")),
            ("/2", Some("one")),
            ("/2/", Some("one")),
            ("//", Some("one")),
            ("/a%2Fb,c/", Some("one")),
            ("/2/recover", Some("recover")),
            ("/recover", Some("one")),
            ("//recover", None),
            ("///", None),
            ("/2//", None),
            ("/2/recover/", None),
            ("/2/other", None),
            ("2", None),
        ] {
            assert_eq!(find(&fixed, &named, rest), expected.as_ref(), "{rest}");
        }
    }
}
