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
use super::pieces::{Awaited, Pieces};
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
    /// There was more behind the last piece, or there may be: actix-http must parse the piece before it gets the next.
    parse_first: bool,
    pieces: Pieces,
}

impl Connection {
    /// Takes over a connection that `worker` has accepted.
    pub(super) fn new(socket: TcpStream, worker: &Rc<WorkerConnections>) -> Self {
        let exchange = Rc::default();
        let registration = worker.add(&exchange);
        Connection {
            socket,
            exchange,
            registration,
            has_begun: false,
            parse_first: false,
            pieces: Pieces::default(),
        }
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
        let mut read = ReadBuf::new(&mut bytes[..size]);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut read))?;
        let read = read.filled();
        if read.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.has_begun = true;
        let length = self.pieces.keep_behind(read, Awaited::Request);
        let piece = &read[..length];
        let (line, rest) = piece.split_at(lacks_length_at(piece).unwrap_or(0));
        buffer.put_slice(line);
        if !line.is_empty() {
            buffer.put_slice(NO_BODY);
        }
        buffer.put_slice(rest);
        self.handed_out(context, length, read.len() == size)
    }

    /// Reads the next piece, or takes it from what was read before.
    fn poll_piece(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let size = PIECE.min(buffer.remaining());
        if self.pieces.has_next() {
            let piece = self.pieces.next(size, self.exchange.awaited());
            buffer.put_slice(&piece);
            return self.handed_out(context, piece.len(), true);
        }
        let mut read = ReadBuf::new(buffer.initialize_unfilled_to(size));
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut read))?;
        let read = read.filled();
        if read.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let (length, is_full) = (self.pieces.keep_behind(read, self.exchange.awaited()), read.len() == size);
        buffer.advance(length);
        self.handed_out(context, length, is_full)
    }

    /// Notes that actix-http gets a piece of this length, and whether more may be there. It must parse first if the piece is empty.
    fn handed_out(
        &mut self,
        context: &mut Context<'_>,
        length: usize,
        is_full: bool,
    ) -> Poll<io::Result<()>> {
        self.exchange.usage.has_read(self.registration.now());
        self.parse_first = is_full || self.pieces.has_next();
        if length > 0 { Poll::Ready(Ok(())) } else { self.poll_parse_first(context) }
    }

    /// Lets actix-http parse what it has got.
    fn poll_parse_first(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.parse_first = false;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads as the request that is being served allows it.
    fn poll_next(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.exchange.set_task(context.waker());
        if self.registration.is_over(&self.exchange) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if self.registration.was_kept(&self.exchange) {
            // To actix-http it is as if the client had closed its side: actix-http closes the connection without an error.
            return Poll::Ready(Ok(()));
        }
        if self.parse_first {
            return self.poll_parse_first(context);
        }
        if !self.exchange.may_read() {
            return self.poll_closed(context);
        }
        if self.has_begun { self.poll_piece(context, buffer) } else { self.poll_first_piece(context, buffer) }
    }

    /// Reads nothing while the request that is being served forbids reading, but notices that the client has closed.
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pieces.has_next() {
            self.exchange.wake_when_free();
        }
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
        let read = this.poll_next(context, buffer);
        if read.is_pending() {
            // actix-http reads until it must wait, and then parses all of it.
            this.pieces.parsed();
        }
        read
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
