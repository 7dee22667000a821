//! The state that a connection shares with the requests that come over it. While a request is served, the connection reads
//! nothing behind it, so that a client cannot pile up requests in this process.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::error::PayloadError;
use actix_http::header::HeaderName;
use actix_http::{BoxedPayloadStream, ConnectionType, HttpMessage, Payload, Request, Response, StatusCode};
use actix_service::Service;
use bytes::Bytes;
use futures_util::Stream;
use tokio::task_local;

use super::pieces::Awaited;
use super::usage::{Ticks, Usage};

/// What a connection and its requests tell each other; one for each connection.
#[derive(Default)]
pub(super) struct Exchange {
    /// The service has a request whose answer has not been written to its end.
    serving: Cell<bool>,
    /// The service waits for more of the body of the request that is being served.
    body_to_come: Cell<bool>,
    /// The request that is being served, or was served last, is the last one of the connection.
    closing: Cell<bool>,
    /// The client does not read what is written. Requests that were parsed together may wait behind that.
    blocked: Cell<bool>,
    /// The connection's task, which reads and writes.
    task: RefCell<Option<Waker>>,
    /// The task must be woken when the connection may read again.
    wants_to_read: Cell<bool>,
    /// When the connection was used.
    pub(super) usage: Usage,
}

impl Exchange {
    /// Whether the connection may read now.
    pub(super) fn may_read(&self) -> bool {
        !self.blocked.get() && (!self.serving.get() || self.body_to_come.get())
    }

    /// What the connection reads, if it [may](Self::may_read).
    pub(super) fn awaited(&self) -> Awaited {
        if self.serving.get() { Awaited::Body } else { Awaited::Request }
    }

    /// Keeps the waker of the connection's task.
    pub(super) fn set_task(&self, waker: &Waker) {
        let mut task = self.task.borrow_mut();
        match &mut *task {
            Some(task) => task.clone_from(waker),
            None => *task = Some(waker.clone()),
        }
    }

    /// Wakes the connection's task.
    pub(super) fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Has the connection's task woken when the connection may read again.
    pub(super) fn wake_when_free(&self) {
        self.wants_to_read.set(true);
    }

    /// Whether the connection was kept for long enough without a request, and the client has all of the last answer.
    pub(super) fn was_kept(&self, now: u32, ticks: Ticks) -> bool {
        !self.serving.get() && !self.blocked.get() && self.usage.was_kept(now, ticks)
    }

    /// Notes whether the client reads what is written.
    pub(super) fn set_blocked(&self, blocked: bool) {
        if self.blocked.replace(blocked) != blocked {
            self.wake_reader();
        }
    }

    fn wake_reader(&self) {
        if self.may_read() && self.wants_to_read.take() {
            self.wake();
        }
    }
}

task_local! {
    /// The exchange of the connection whose task runs. actix-http would keep it in a table for each connection.
    pub(super) static EXCHANGE: Rc<Exchange>;
}

/// The header by which a GRIP proxy signs a request.
static GRIP_SIG: HeaderName = HeaderName::from_static("grip-sig");

/// Passes a request on to `service`, and marks its connection as serving until the answer has been written.
///
/// The connection ends after a request that came through a proxy. Pushpin may see another end of that request's body than
/// actix-http does, and the bytes between would become the beginning of another client's request. No request that was sent
/// behind such a request is served.
pub(super) fn serve<S>(
    mut request: Request,
    service: &S,
) -> impl Future<Output = Result<Response<AnswerBody>, S::Error>> + use<S>
where
    S: Service<Request>,
    S::Response: Into<Response<BoxBody>>,
{
    let serving = EXCHANGE.try_with(Rc::clone).ok().map(Serving::begin);
    if let Some(serving) = &serving
        && let Payload::H1 { payload } = request.take_payload()
    {
        let body = RequestBody { payload, exchange: Rc::clone(&serving.0) };
        let body: BoxedPayloadStream = Box::pin(body);
        *request.payload() = Payload::Stream { payload: body };
    }
    let connection = request.head().connection_type();
    // actix-http closes the connection behind an answer to `Connection: upgrade`, too, but would not say so.
    let closes = request.headers().contains_key(&GRIP_SIG) || connection == ConnectionType::Upgrade;
    let is_last = closes || connection == ConnectionType::Close;
    let closed = serving.as_ref().is_some_and(|Serving(exchange)| exchange.closing.replace(is_last));
    let answer = (!closed).then(|| service.call(request));
    async move {
        let mut response = match answer {
            Some(answer) => answer.await?.into(),
            // actix-http has parsed this request together with the last one of the connection.
            None => Response::with_body(StatusCode::BAD_REQUEST, BoxBody::new(())),
        };
        if closes || closed {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        Ok(response.map_body(|_, body| AnswerBody { body, _serving: serving }))
    }
}

/// Marks a connection as serving a request; dropping it removes the mark.
struct Serving(Rc<Exchange>);

impl Serving {
    fn begin(exchange: Rc<Exchange>) -> Self {
        exchange.serving.set(true);
        Serving(exchange)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.serving.set(false);
        self.0.wake_reader();
    }
}

/// The body of a request. The connection reads while the service waits for more of it.
struct RequestBody {
    payload: actix_http::h1::Payload,
    exchange: Rc<Exchange>,
}

impl Stream for RequestBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.payload).poll_next(context);
        self.exchange.body_to_come.set(next.is_pending());
        if next.is_pending() {
            self.exchange.wake_reader();
        }
        next
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.exchange.body_to_come.set(false);
    }
}

/// The body of an answer. Dropping it ends the request; actix-http drops it when it has written it.
pub(super) struct AnswerBody {
    body: BoxBody,
    _serving: Option<Serving>,
}

impl MessageBody for AnswerBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
