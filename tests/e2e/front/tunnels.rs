//! The front makes no tunnel to the servers behind it: a tunnel would carry requests that none of the front's rules has seen.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Options, SOON, front_of_noting};
use crate::support::raw::raw_head;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
/// The headers end with this frame, and the stream goes on.
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short payload");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A header that is in no table of HPACK (RFC 7541, section 6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// Sends a CONNECT over HTTP/2. Returns the frames that the front has sent until it has ended the stream.
async fn connect(front: SocketAddr, authority: &str) -> Vec<u8> {
    let headers = [literal(":method", "CONNECT"), literal(":authority", authority)].concat();
    let mut stream = TcpStream::connect(front).await.expect("a connection");
    let begin = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[]), frame(HEADERS, END_HEADERS, 1, &headers)];
    stream.write_all(&begin.concat()).await.expect("to send");
    let mut answer = Vec::new();
    while !ends(&answer) {
        let read = timeout(SOON, stream.read_buf(&mut answer)).await.expect("an answer in time");
        assert!(read.expect("to receive") > 0, "closed before the answer was whole");
    }
    answer
}

/// Whether a whole frame among these ends the first stream.
fn ends(mut frames: &[u8]) -> bool {
    while let [a, b, c, kind, flags, _, _, _, stream, rest @ ..] = frames {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some(rest) = rest.get(length..) else { return false };
        if *stream == 1 && [DATA, HEADERS].contains(kind) && flags & END_STREAM != 0 {
            return true;
        }
        frames = rest;
    }
    false
}

#[tokio::test]
async fn a_connect_reaches_no_server_behind_the_front() {
    let (front, mut to_pushpin, mut to_cache) = front_of_noting(Options::default()).await;
    for authority in ["/counters/1/", "/live/a", "*", "x.example:80"] {
        let answer = connect(front.addr(), authority).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("it has no CONNECT"), "{authority}: {answer:?}");
    }
    for target in ["/counters/1/", "x.example:80"] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: x.example:80\r\n\r\n");
        let (status, head) = raw_head(front.addr(), request.as_bytes()).await;
        assert!([400, 405].contains(&status), "{target}: {head}");
    }
    assert!(to_cache.try_recv().is_err() && to_pushpin.try_recv().is_err(), "nothing passed");
}
