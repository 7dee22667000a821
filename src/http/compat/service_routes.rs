//! The routes of one service, which are only for requests to the service's hosts.

use std::sync::Arc;

use actix_web::dev::RequestHead;
use actix_web::guard::fn_guard;
use actix_web::http::header::{HOST, HeaderValue};
use actix_web::web::ServiceConfig;
use actix_web::{FromRequest, Handler, Responder};

use crate::compat::HostNames;
use crate::http::cors::CorsPolicy;
use crate::http::metrics::RequestMetrics;
use crate::http::resource::{READ, finish_resource};
use crate::http::routing::{Resource, get, head, resource};

/// Adds the routes of one service.
pub(super) struct ServiceRoutes<'a> {
    /// The table of all routes.
    pub(super) config: &'a mut ServiceConfig,
    /// The counts of the requests to all routes.
    pub(super) requests: &'a Arc<RequestMetrics>,
    /// The hosts on which the routes are answered.
    pub(super) hosts: &'a HostNames,
}

impl ServiceRoutes<'_> {
    /// Adds a resource that answers GET and HEAD. `template` is its label in the metrics, `pattern` the pattern of its paths.
    pub(super) fn readable<F, Args>(&mut self, template: &'static str, pattern: &str, handler: F)
    where
        F: Handler<Args> + Clone,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let resource = resource(pattern).method(get().to(handler.clone())).method(head().to(handler));
        self.resource(template, READ, resource);
    }

    /// Adds a resource that answers these methods.
    pub(super) fn resource(&mut self, template: &'static str, methods: &'static str, resource: Resource) {
        let hosts = self.hosts.clone();
        let resource = resource.guard(fn_guard(move |context| hosts.contain(authority(context.head()))));
        self.config.service(finish_resource(self.requests, template, methods, resource, CorsPolicy::Public));
    }
}

/// The host that the request is for, as the request names it; `None` if the request names no host, or several. A host in the
/// request's target wins over the header (RFC 9112, section 3.2.2).
fn authority(request: &RequestHead) -> Option<&str> {
    if let Some(authority) = request.uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = request.headers.get_all(HOST);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => HeaderValue::to_str(host).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn named(uri: &str, hosts: &[&[u8]]) -> Option<String> {
        let mut request = TestRequest::with_uri(uri);
        for host in hosts {
            request = request.append_header((HOST, HeaderValue::from_bytes(host).expect("a header")));
        }
        authority(request.to_request().head()).map(str::to_owned)
    }

    #[test]
    fn a_request_names_its_host_in_the_target_or_in_one_header() {
        assert_eq!(named("/get/abc", &[b"a.example:80"]).as_deref(), Some("a.example:80"));
        assert_eq!(named("http://b.example/get/abc", &[b"a.example"]).as_deref(), Some("b.example"));
        assert_eq!(named("/get/abc", &[]), None);
        assert_eq!(named("/get/abc", &[b"a.example", b"b.example"]), None);
        assert_eq!(named("/get/abc", &[b"a.example", b"a.example"]), None);
        assert_eq!(named("/get/abc", &[b"\xe9.example"]), None);
        assert_eq!(named("/get/abc", &[b""]).as_deref(), Some(""));
    }
}
