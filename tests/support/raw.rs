//! Requests byte by byte, for what a client library would not send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
    let status = answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"));
    (status, answer)
}
