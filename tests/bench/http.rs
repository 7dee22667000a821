//! A blocking HTTP client for probes, publishing and paced single requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::wire::{Body, Head, head_end};

/// A whole response.
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: String,
}

/// A connection that is kept; opened again when the server has closed it.
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Client {
    /// A client of a port of 127.0.0.1.
    pub(crate) fn new(port: u16) -> Self {
        Client { address: SocketAddr::from(([127, 0, 0, 1], port)), stream: None }
    }

    /// Sends a request and reads the whole response. A kept connection that turns out to be closed is replaced once.
    pub(crate) fn send(&mut self, request: &str) -> Result<Response> {
        if let Some(mut stream) = self.stream.take()
            && let Ok((received, end)) = exchange(&mut stream, request)
        {
            return self.finish(stream, received, end);
        }
        let mut stream = self.connect()?;
        let (received, end) = exchange(&mut stream, request)?;
        self.finish(stream, received, end)
    }

    /// Reads what is missing of the body, and keeps the connection if the server does.
    fn finish(&mut self, mut stream: TcpStream, mut received: Vec<u8>, end: usize) -> Result<Response> {
        let head = Head::parse(&received[..end]).context("not an HTTP response")?;
        let mut coding = Body::of(&head);
        let mut body = Vec::new();
        coding.feed(&received[end..], &mut body);
        let complete = |body: &[u8], coding: &Body| match head.content_length() {
            Some(length) => body.len() >= length,
            None => coding.is_end(),
        };
        while !complete(&body, &coding) {
            received.clear();
            if read(&mut stream, &mut received)? == 0 {
                break;
            }
            coding.feed(&received, &mut body);
        }
        if head.field("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close")) {
            self.stream = Some(stream);
        }
        Ok(Response { head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Sends a request and demands a 2xx.
    pub(crate) fn demand(&mut self, request: &str) -> Result<Response> {
        let line = request.lines().next().unwrap_or_default().to_owned();
        let response = self.send(request).with_context(|| line.clone())?;
        if !(200..300).contains(&response.head.status) {
            bail!("{line}: status {}: {}", response.head.status, response.body.trim());
        }
        Ok(response)
    }

    fn connect(&self) -> Result<TcpStream> {
        let stream =
            TcpStream::connect_timeout(&self.address, Duration::from_secs(5)).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(stream)
    }
}

/// The text of a request; `fields` are whole header lines.
pub(crate) fn request(method: &str, path: &str, fields: &[String], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    for field in fields {
        text.push_str(field);
        text.push_str("\r\n");
    }
    if method != "GET" {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text + "\r\n" + body
}

/// Sends a request and reads until the head of the answer is complete; gives what came and where the head ends.
fn exchange(stream: &mut TcpStream, request: &str) -> Result<(Vec<u8>, usize)> {
    stream.write_all(request.as_bytes()).context("cannot send")?;
    let mut received = Vec::new();
    loop {
        match head_end(&received) {
            Some(end) => return Ok((received, end)),
            None if read(stream, &mut received)? == 0 => bail!("closed before an answer"),
            None => {}
        }
    }
}

fn read(stream: &mut TcpStream, received: &mut Vec<u8>) -> Result<usize> {
    let mut buffer = [0; 16 * 1024];
    let count = stream.read(&mut buffer).context("no answer")?;
    received.extend_from_slice(&buffer[..count]);
    Ok(count)
}
