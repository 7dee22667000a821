//! One HTTP request on one connection, as the fault proxies pass it on.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::raw;

/// The bytes of a request as they came.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads one; `None` where the client leaves before its end.
    pub(crate) async fn read(stream: &mut TcpStream) -> Option<Request> {
        let (head, body) = raw::read_request(stream).await?;
        let mut words = head.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Request { method, path, head, body })
    }

    /// Sends it to a server and returns all that comes back. The connection serves this one request, so that the end of
    /// the answer is the end of the connection.
    pub(crate) async fn forward(&self, to: SocketAddr) -> io::Result<Vec<u8>> {
        let exchange = async {
            let mut stream = TcpStream::connect(to).await?;
            let (line, rest) = self.head.split_once("\r\n").unwrap_or((&self.head, "\r\n"));
            let head = format!("{line}\r\nConnection: close\r\n{rest}");
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&self.body).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok(answer)
        };
        timeout(Duration::from_secs(30), exchange)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// An answer without more than a status.
pub(crate) fn answer(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} Of The Fault Proxy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .into_bytes()
}
