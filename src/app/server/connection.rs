//! One accepted connection, as actix-http reads and writes it. It hands actix-http what the client has sent in small pieces,
//! and it ends if neither the client nor the service uses it. Decision 14 says why.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::exchange::Exchange;
use super::http10::{NO_BODY, lacks_length_at};

/// The most bytes that actix-http gets before it must parse them. actix-http keeps each request that it has parsed, which
/// takes 4.5 KiB even for the shortest of 26 bytes, until the requests before it are answered.
const PIECE: usize = 1024;

/// How long a connection may stay unused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long a client waits for the first byte of an answer before the connection ends: longer than any answer takes.
    pub(super) unanswered: Duration,
    /// How long no byte may be sent or received: longer than a stream is silent, and longer than a connection is kept.
    pub(super) silent: Duration,
}

/// A client's connection.
pub(super) struct Connection {
    socket: TcpStream,
    exchange: Rc<Exchange>,
    clock: Clock,
    /// actix-http has got bytes of this connection.
    has_begun: bool,
    /// The last piece was a full one: actix-http must parse it before it gets the next.
    parse_first: bool,
}

impl Connection {
    /// Takes over an accepted connection.
    pub(super) fn new(socket: TcpStream, patience: Patience) -> Self {
        Connection {
            socket,
            exchange: Rc::default(),
            clock: Clock::new(patience),
            has_begun: false,
            parse_first: false,
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
        let mut piece = ReadBuf::new(&mut bytes[..size]);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut piece))?;
        let read = piece.filled();
        if !read.is_empty() {
            self.has_begun = true;
            self.parse_first = read.len() == size;
            self.clock.has_read();
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
                self.exchange.wake_when_free(context.waker());
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
        if this.clock.is_over(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
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
            this.clock.has_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(context, bytes);
        this.exchange.set_blocked(written.is_pending());
        if let Poll::Ready(Ok(1..)) = written {
            this.clock.has_written();
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

/// Decides when a connection has been unused for too long. Reading and writing only note the time, because setting a timer
/// would cost more than a short request may. The timer compares the noted times now and then.
struct Clock {
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    is_set: bool,
    unanswered_since: Option<Instant>,
    last_byte: Instant,
}

impl Clock {
    fn new(patience: Patience) -> Self {
        let now = Instant::now();
        let timer = Box::pin(sleep_until(now + patience.unanswered));
        Clock { patience, timer, is_set: false, unanswered_since: None, last_byte: now }
    }

    fn has_read(&mut self) {
        let now = Instant::now();
        self.unanswered_since.get_or_insert(now);
        self.last_byte = now;
    }

    fn has_written(&mut self) {
        self.unanswered_since = None;
        self.last_byte = Instant::now();
    }

    /// Whether the connection must end. If not, the timer wakes the task when the answer may have changed.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        if self.is_set && !self.timer.is_elapsed() {
            return false;
        }
        let now = Instant::now();
        let ends = self.ends();
        if ends <= now {
            return true;
        }
        // A request that comes right now may stay unanswered until then, so the timer must not fire later.
        self.timer.as_mut().reset(ends.min(now + self.patience.unanswered));
        self.is_set = self.timer.as_mut().poll(context).is_pending();
        false
    }

    /// When the connection must end if nothing is sent or received before.
    fn ends(&self) -> Instant {
        let silent = self.last_byte + self.patience.silent;
        match self.unanswered_since {
            Some(since) => silent.min(since + self.patience.unanswered),
            None => silent,
        }
    }
}
