//! A listener: a plain socket that reads an event stream, so that no library between the bytes and the test decides
//! what an event is.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One event of the stream, its fields as sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: String,
}

/// A connected listener. Dropping it closes the connection.
pub struct Listener {
    stream: TcpStream,
    /// Bytes as they came, framing included.
    raw: Vec<u8>,
    body: Body,
    status: u16,
    headers: Vec<(String, String)>,
    /// Bytes of the body that are not yet a line.
    pending: Vec<u8>,
    /// The fields seen since the last empty line.
    event: Event,
    any_data: bool,
    comments: Vec<String>,
    retry: Option<Duration>,
}

/// The kind of bytes that come next in the body.
enum Body {
    ChunkSize,
    /// This number of bytes of the chunk is still to come, then a line end.
    Chunk(usize),
    /// This number of bytes is still to come.
    Length(usize),
    UntilClose,
    Ended,
}

impl Listener {
    /// Connects, asks for the event stream of `path`, and reads the head of the answer.
    pub async fn connect(addr: SocketAddr, path: &str) -> Listener {
        Listener::connect_with(addr, path, &[]).await
    }

    /// Connects with more request headers, e.g. `("Last-Event-ID", "…")`.
    pub async fn connect_with(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Listener {
        let opened = timeout(Duration::from_secs(10), open(addr, path, headers)).await;
        opened.expect("the head of the answer within ten seconds")
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a response header, empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }

    /// The comments so far, without their colon.
    pub fn comments(&self) -> &[String] {
        &self.comments
    }

    /// The last `retry:` so far.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// The next event. Panics if none comes in time or the stream ends.
    pub async fn next(&mut self, within: Duration) -> Event {
        match timeout(within, self.read_event()).await {
            Ok(Some(event)) => event,
            Ok(None) => panic!("the stream has ended"),
            Err(_) => {
                panic!("no event within {within:?}; pending: {:?}", String::from_utf8_lossy(&self.pending))
            }
        }
    }

    /// The next event, or `None` if none comes in time or the stream ends.
    pub async fn try_next(&mut self, within: Duration) -> Option<Event> {
        timeout(within, self.read_event()).await.ok().flatten()
    }

    /// Reads on until an event has this data; returns all events up to that one. Panics if that event does not come in time.
    pub async fn until_data(&mut self, data: &str, within: Duration) -> Vec<Event> {
        let mut events = Vec::new();
        let reading = async {
            while let Some(event) = self.read_event().await {
                let found = event.data == data;
                events.push(event);
                if found {
                    return true;
                }
            }
            false
        };
        let found = timeout(within, reading).await.unwrap_or(false);
        assert!(found, "no event {data:?} within {within:?}, but {events:?}");
        events
    }

    /// Whether the stream ends in time; events before that are read over.
    pub async fn ends(&mut self, within: Duration) -> bool {
        timeout(within, async { while self.read_event().await.is_some() {} }).await.is_ok()
    }

    /// May be dropped at any await: the bytes that were read stay in `raw`, `pending` and `event`.
    async fn read_event(&mut self) -> Option<Event> {
        loop {
            while let Some(line) = self.take_line() {
                if let Some(event) = self.interpret(&line) {
                    return Some(event);
                }
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.pending.iter().position(|&b| b == b'\n')?;
        let mut line: Vec<u8> = self.pending.drain(..=end).collect();
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(String::from_utf8(line).expect("UTF-8"))
    }

    fn interpret(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            // Many clients show such a block as an event without data: the service must never send one.
            assert!(self.any_data, "an empty event, behind the comments {:?}", self.comments);
            self.any_data = false;
            return Some(std::mem::take(&mut self.event));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => self.comments.push(value.to_owned()),
            "id" => self.event.id = Some(value.to_owned()),
            "event" => self.event.event = Some(value.to_owned()),
            "retry" => self.retry = value.parse().ok().map(Duration::from_millis),
            "data" => {
                if self.any_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.any_data = true;
            }
            _ => {}
        }
        None
    }

    /// Reads the next bytes of the body; returns false at its end.
    async fn read_more(&mut self) -> bool {
        if matches!(self.body, Body::Ended) {
            return false;
        }
        let read = self.stream.read_buf(&mut self.raw).await.unwrap_or(0);
        self.decode();
        read > 0
    }

    /// Moves the bytes of the body from `raw` to `pending`, without the framing of chunks.
    fn decode(&mut self) {
        loop {
            self.body = match self.body {
                Body::ChunkSize => {
                    let Some(end) = find(&self.raw, b"\r\n") else { return };
                    let line: Vec<u8> = self.raw.drain(..end + 2).collect();
                    let size = String::from_utf8_lossy(&line[..end]);
                    let size = size.split(';').next().unwrap_or_default().trim();
                    match usize::from_str_radix(size, 16).expect("the size of a chunk") {
                        0 => Body::Ended,
                        size => Body::Chunk(size),
                    }
                }
                Body::Chunk(0) if self.raw.len() < 2 => return,
                Body::Chunk(0) => {
                    self.raw.drain(..2);
                    Body::ChunkSize
                }
                Body::Length(0) | Body::Ended => {
                    self.body = Body::Ended;
                    return;
                }
                _ if self.raw.is_empty() => return,
                Body::Chunk(left) => Body::Chunk(left - self.take(left)),
                Body::Length(left) => Body::Length(left - self.take(left)),
                Body::UntilClose => {
                    self.take(usize::MAX);
                    Body::UntilClose
                }
            }
        }
    }

    /// Moves up to `most` bytes. Returns their number.
    fn take(&mut self, most: usize) -> usize {
        let count = most.min(self.raw.len());
        self.pending.extend(self.raw.drain(..count));
        count
    }
}

async fn open(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Listener {
    let mut stream = TcpStream::connect(addr).await.expect("a connection");
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
        request.push_str("Accept: text/event-stream\r\n");
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.expect("the request sent");

    let (head, raw) = read_head(&mut stream).await;
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let split = |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
    let headers: Vec<(String, String)> = lines.filter_map(split).collect();
    let body = if header(&headers, "transfer-encoding").contains("chunked") {
        Body::ChunkSize
    } else {
        header(&headers, "content-length").parse().map_or(Body::UntilClose, Body::Length)
    };
    let mut listener = Listener {
        stream,
        raw,
        body,
        status: status.expect("a status line"),
        headers,
        pending: Vec::new(),
        event: Event::default(),
        any_data: false,
        comments: Vec::new(),
        retry: None,
    };
    // These bytes of the body came with the head.
    listener.decode();
    listener
}

/// Reads the head of an answer. Returns the head, and the bytes of the body that came with it.
async fn read_head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut raw = Vec::new();
    let end = loop {
        if let Some(end) = find(&raw, b"\r\n\r\n") {
            break end;
        }
        let read = stream.read_buf(&mut raw).await.expect("the head of the answer");
        assert!(read > 0, "closed before the head was whole: {:?}", String::from_utf8_lossy(&raw));
    };
    let head = String::from_utf8(raw.drain(..end + 4).collect()).expect("a readable head");
    (head, raw)
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
