//! The requests and streams that a relay has carried.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// What a relay has carried since its start.
#[derive(Default)]
pub(crate) struct Traffic {
    streams: AtomicUsize,
    requests: Mutex<Vec<Request>>,
}

/// A request of a browser.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The method and the path, as `GET /counters/1/`.
    pub(crate) line: String,
    pub(crate) is_stream: bool,
    /// The relay has answered the request 503 itself.
    pub(crate) is_refused: bool,
}

/// An open connection, which is counted until this value is dropped.
pub(crate) struct Open {
    traffic: Arc<Traffic>,
    is_stream: bool,
}

impl Traffic {
    pub(crate) fn connection(self: &Arc<Self>) -> Open {
        Open { traffic: Arc::clone(self), is_stream: false }
    }

    /// How many connections carry a stream now. A browser sends no other request behind a stream over HTTP/1.1.
    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Relaxed)
    }

    /// The requests so far, in their order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic while locked").clone()
    }

    /// How many requests so far begin with this method and path.
    pub(crate) fn asked(&self, line: &str) -> usize {
        self.requests().iter().filter(|request| request.line.starts_with(line)).count()
    }
}

impl Open {
    /// The browser has sent these bytes, which the relay passes on.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        let Some(request) = Request::read(bytes) else { return };
        if request.is_stream && !self.is_stream {
            self.is_stream = true;
            self.traffic.streams.fetch_add(1, Relaxed);
        }
        self.keep(request);
    }

    /// The browser has sent these bytes, which the relay answers itself.
    pub(crate) fn refused(&mut self, bytes: &[u8]) {
        if let Some(request) = Request::read(bytes) {
            self.keep(Request { is_refused: true, ..request });
        }
    }

    fn keep(&self, request: Request) {
        self.traffic.requests.lock().expect("no panic while locked").push(request);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.is_stream {
            self.traffic.streams.fetch_sub(1, Relaxed);
        }
    }
}

impl Request {
    /// The request whose head begins with these bytes; a browser writes a head at once, and a body behind it.
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (line, fields) = text.split_once("\r\n")?;
        let line = line.strip_suffix(" HTTP/1.1")?.to_owned();
        let is_stream = fields.to_ascii_lowercase().contains("accept: text/event-stream");
        Some(Request { line, is_stream, is_refused: false })
    }
}
