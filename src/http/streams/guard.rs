//! What a private stream needs, and what allowed it.

use std::sync::Arc;

use actix_web::HttpRequest;

use super::proxy::is_proxied;
use crate::access::{Access, Grant, Needed, Space, Verb};
use crate::domain::Route;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;

const TICKET_NOT_HELD: &str = "the proxy cannot hold a private stream that was opened with a ticket here: access.ticket_key is a public key; \
                               use a key, or a secret as access.ticket_key";
const PROXY_NOT_VERIFIED: &str = "a proxy holds private streams only if its signature is checked: GRIP_URL needs a key with iss, or a verify-key";

/// What a stream reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum StreamSubject {
    /// What is under one route.
    Route(Route),
    /// What is under all routes that begin with this text.
    Below(String),
}

impl StreamSubject {
    /// What a request needs to read this.
    pub(in crate::http) fn needed(&self) -> Needed<'_> {
        match self {
            StreamSubject::Route(route) => Needed::One(Verb::Read, Space::Routes, route.as_str()),
            StreamSubject::Below(begin) => Needed::Beginning(Verb::Read, Space::Routes, begin),
        }
    }
}

/// Says whether a stream is still allowed.
pub(in crate::http) struct StreamGuard {
    access: Arc<Access>,
    subject: StreamSubject,
    grant: Grant,
}

impl StreamGuard {
    /// A guard for a stream of `subject` that `grant` has allowed.
    pub(in crate::http) fn new(context: &WorkerContext, subject: StreamSubject, grant: Grant) -> Self {
        StreamGuard { access: Arc::clone(&context.shared.access), subject, grant }
    }

    /// Whether what allowed the stream still allows it.
    pub(in crate::http) fn still_allows(&self) -> bool {
        self.access.still_allows(&self.grant, &self.subject.needed())
    }

    /// If a proxy is to hold the stream, the text that proves to a recovery that the stream was allowed: see [`Access::pass`]. `None` if this process
    /// must hold the stream. 501 if a proxy is to hold it and cannot.
    pub(in crate::http) fn pass(
        &self,
        request: &HttpRequest,
        context: &WorkerContext,
    ) -> Result<Option<String>, ApiError> {
        if !is_proxied(request, context) {
            return Ok(None);
        }
        // Where every signature counts, a client could pass for a proxy.
        if self.grant != Grant::Public && trusts_any(context) {
            return self.in_process_or(context, PROXY_NOT_VERIFIED);
        }
        match self.access.pass(&self.grant, &self.subject.needed()) {
            Some(pass) => Ok(Some(pass)),
            None => self.in_process_or(context, TICKET_NOT_HELD),
        }
    }

    /// `None` if this process can hold the stream behind the proxy; 501 if not.
    fn in_process_or(
        &self,
        context: &WorkerContext,
        reason: &'static str,
    ) -> Result<Option<String>, ApiError> {
        if context.listeners.is_some() { Ok(None) } else { Err(ApiError::NotImplemented(reason)) }
    }
}

/// The guard of a stream for which a proxy asks for a recovery; `None` if the stream is not allowed any more. 404 if the request comes from
/// anything but a proxy.
pub(in crate::http) fn guard_of_pass(
    request: &HttpRequest,
    context: &WorkerContext,
    pass: &str,
    subject: StreamSubject,
) -> Result<Option<StreamGuard>, ApiError> {
    let grant = context.shared.access.of_pass(pass, &subject.needed());
    let is_public = grant.as_ref().is_some_and(|grant| *grant == Grant::Public);
    if !is_proxied(request, context) || !is_public && trusts_any(context) {
        return Err(ApiError::NotFound("only a proxy that holds streams is answered here".into()));
    }
    Ok(grant.map(|grant| StreamGuard::new(context, subject, grant)))
}

fn trusts_any(context: &WorkerContext) -> bool {
    context.shared.verifier.as_ref().is_none_or(|verifier| verifier.trusts_any())
}
