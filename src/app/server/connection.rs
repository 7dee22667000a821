//! One accepted connection, as actix-http reads and writes it. It hands actix-http what the client has sent in small pieces,
//! and it ends if neither the client nor the service uses it. Decision 14 says why.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::exchange::Exchange;
use super::http10::{NO_BODY, lacks_length_at};
use super::worker_connections::{Registration, WorkerConnections};

/// The most bytes that actix-http gets before it must parse them. actix-http keeps each request that it has parsed, which
/// takes 4.5 KiB even for the shortest of 26 bytes, until the requests before it are answered.
const PIECE: usize = 1024;

/// A client's connection.
pub(super) struct Connection {
    socket: TcpStream,
    exchange: Rc<Exchange>,
    registration: Registration,
    /// actix-http has got bytes of this connection.
    has_begun: bool,
    /// The last piece was a full one: actix-http must parse it before it gets the next.
    parse_first: bool,
}

impl Connection {
    /// Takes over a connection that `worker` has accepted.
    pub(super) fn new(socket: TcpStream, worker: &Rc<WorkerConnections>) -> Self {
        let exchange = Rc::default();
        let registration = worker.add(&exchange);
        Connection { socket, exchange, registration, has_begun: false, parse_first: false }
    }

    /// What this connection and its requests tell each other.
    pub(super) fn exchange(&self) -> Rc<Exchange> {
        Rc::clone(&self.exchange)
    }

    /// Reads the first piece of the connection. Adds a `Content-Length` if the piece is a POST over HTTP/1.0 without one.
    fn poll_first_piece(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; PIECE];
        let size = PIECE.min(buffer.remaining().saturating_sub(NO_BODY.len()));
        let mut piece = ReadBuf::new(&mut bytes[..size]);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut piece))?;
        let read = piece.filled();
        if !read.is_empty() {
            self.has_begun = true;
            self.parse_first = read.len() == size;
            self.exchange.usage.has_read(self.registration.now());
        }
        let (line, rest) = read.split_at(lacks_length_at(read).unwrap_or(0));
        buffer.put_slice(line);
        if !line.is_empty() {
            buffer.put_slice(NO_BODY);
        }
        buffer.put_slice(rest);
        Poll::Ready(Ok(()))
    }

    /// Reads nothing while the request that is being served forbids reading, but notices that the client has closed.
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut byte = [0];
        match ready!(self.socket.poll_peek(context, &mut ReadBuf::new(&mut byte)))? {
            0 => Poll::Ready(Ok(())),
            _ => {
                self.exchange.wake_when_free();
                Poll::Pending
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.exchange.set_task(context.waker());
        if this.registration.is_over(&this.exchange) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if this.registration.was_kept(&this.exchange) {
            // To actix-http it is as if the client had closed its side: actix-http closes the connection without an error.
            return Poll::Ready(Ok(()));
        }
        if std::mem::take(&mut this.parse_first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !this.exchange.may_read() {
            return this.poll_closed(context);
        }
        if !this.has_begun {
            return this.poll_first_piece(context, buffer);
        }
        let size = PIECE.min(buffer.remaining());
        let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(size));
        ready!(Pin::new(&mut this.socket).poll_read(context, &mut piece))?;
        let read = piece.filled().len();
        buffer.advance(read);
        this.parse_first = read == size;
        if read > 0 {
            this.exchange.usage.has_read(this.registration.now());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // actix-http answers 408 when no head has come in time. A client that has asked for nothing (browsers and clients with
        // pools connect in advance) may send its first request at this moment, and take the 408 for its answer.
        if !this.has_begun {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let written = Pin::new(&mut this.socket).poll_write(context, bytes);
        this.exchange.set_blocked(written.is_pending());
        if let Poll::Ready(Ok(1..)) = written {
            this.exchange.usage.has_written(this.registration.now());
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}
