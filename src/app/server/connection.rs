//! One accepted connection, as actix-http reads and writes it: hands out what the client has sent in small parts, and
//! ends when it serves nobody any more. Decision 14 says why.

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

/// The most bytes that actix-http is handed before it must parse them. It keeps every request that it has parsed, some
/// 4.5 KiB for the shortest of 26 bytes, until the requests before it are answered.
const PART: usize = 1024;

/// How long a connection may be of no use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long what a client has sent may stay without a byte of an answer: longer than any answer takes.
    pub(super) unanswered: Duration,
    /// How long no byte may go in either direction: longer than a stream is silent, and than a connection is kept.
    pub(super) silent: Duration,
}

/// A client's connection.
pub(super) struct Connection {
    socket: TcpStream,
    exchange: Rc<Exchange>,
    clock: Clock,
    /// Something has been handed out.
    has_begun: bool,
    /// The part handed out last was a full one: actix-http must parse it before it asks for the next.
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

    /// Reads the first part of the connection, and adds the length to it that a POST over HTTP/1.0 may lack.
    fn poll_begin(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; PART];
        let size = PART.min(buffer.remaining().saturating_sub(NO_BODY.len()));
        let mut part = ReadBuf::new(&mut bytes[..size]);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut part))?;
        let read = part.filled();
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

    /// Reads nothing before the request that is being served allows it, but notices when the client leaves.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
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
            return this.poll_end(context);
        }
        if !this.has_begun {
            return this.poll_begin(context, buffer);
        }
        let size = PART.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(size));
        ready!(Pin::new(&mut this.socket).poll_read(context, &mut part))?;
        let read = part.filled().len();
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

/// When a connection has been of no use for too long. Reading and writing only note the time; the timer looks at it now
/// and then, since setting a timer costs more than a short request may.
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

    /// Whether the connection must end. Else the task is woken when that has to be asked again.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        if self.is_set && !self.timer.is_elapsed() {
            return false;
        }
        let now = Instant::now();
        let ends = self.ends();
        if ends <= now {
            return true;
        }
        // What is sent from now on may stay unanswered from now on: no later than that is the next look.
        self.timer.as_mut().reset(ends.min(now + self.patience.unanswered));
        self.is_set = self.timer.as_mut().poll(context).is_pending();
        false
    }

    /// When the connection must end if nothing more is sent.
    fn ends(&self) -> Instant {
        let silent = self.last_byte + self.patience.silent;
        match self.unanswered_since {
            Some(since) => silent.min(since + self.patience.unanswered),
            None => silent,
        }
    }
}
