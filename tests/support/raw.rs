//! Requests byte by byte: sent, for what a client library would not send, and received, for servers of the tests' own.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends the request line and headers as they are; returns the status and the whole answer, head and body.
pub async fn raw(addr: SocketAddr, line: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = format!("{line}\r\nHost: {addr}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let exchange = async {
        let mut socket = TcpStream::connect(addr).await.expect("a connection");
        socket.write_all(request.as_bytes()).await.expect("to send");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.expect("to receive");
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), exchange).await.expect("an answer in time");
    (status(&answer), answer)
}

/// Sends the bytes as they are; returns the status and the head of the answer, of a stream too.
pub async fn raw_head(addr: SocketAddr, request: &[u8]) -> (u16, String) {
    let exchange = async {
        let mut socket = TcpStream::connect(addr).await.expect("a connection");
        socket.write_all(request).await.expect("to send");
        let mut answer = Vec::new();
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            let read = socket.read_buf(&mut answer).await.expect("to receive");
            assert!(read > 0, "closed before the head was whole: {:?}", String::from_utf8_lossy(&answer));
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), exchange).await.expect("an answer in time");
    let (head, _) = answer.split_once("\r\n\r\n").expect("a head");
    (status(head), head.to_owned())
}

/// The status of an answer.
pub fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"))
}

/// Reads one request, head and body; `None` if the client leaves before the end of the request, or the head is no text.
pub async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).ok()?;
    let length: usize = header(&head, "content-length").parse().unwrap_or(0);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, body))
}

/// The value of a header in a request's head, empty if there is none.
pub fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    values.next().unwrap_or("")
}
