//! The memory of a connection, the order in which its requests are answered, and how long the connection lives.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::Program;
use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::server::Server;

/// The shortest request there is.
const TINY: &[u8] = b"GET / HTTP/1.1\r\nHost:\r\n\r\n";
/// Generous: the machine may be building at the same time.
pub(crate) const SOON: Duration = Duration::from_secs(15);

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// A connection over which the stream of a counter was requested.
pub(crate) async fn ask_for_stream(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address).await;
    let request = b"GET /counters/quiet/ HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";
    stream.write_all(request).await.expect("to send");
    stream
}

/// Sends as many bytes as the program and the system accept.
async fn send_all_that_fits(stream: &mut TcpStream, request: &[u8], most: usize) {
    let bytes = request.repeat(most / request.len());
    let _ = tokio::time::timeout(Duration::from_secs(2), stream.write_all(&bytes)).await;
}

/// Reads until this text has come, and returns all bytes up to then.
pub(crate) async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&bytes).contains(text) {
            let count = stream.read_buf(&mut bytes).await.expect("to receive");
            assert!(count > 0, "closed before {text:?} came: {:?}", String::from_utf8_lossy(&bytes));
        }
    };
    tokio::time::timeout(SOON, read).await.unwrap_or_else(|_| panic!("no {text:?}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for the end of a connection, within bounds.
async fn ends(stream: &mut TcpStream, within: Duration) {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(within, stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the connection is still open after {within:?}");
}

#[tokio::test]
async fn requests_pipelined_behind_a_stream_take_no_memory() {
    const CLIENTS: usize = 20;
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = ask_for_stream(program.address).await;
        read_until(&mut stream, "data: 0").await;
        streams.push(stream);
    }
    let before = program.resident_kib();
    for stream in &mut streams {
        send_all_that_fits(stream, TINY, 256 * 1024).await;
    }
    // The program answers this request only after it has read what was sent before.
    let health = program.get("/healthz").await;
    assert_eq!(health.status(), 200);
    let after = program.resident_kib();
    assert!(after < before + 512 * CLIENTS as u64, "{before} KiB became {after} KiB");
    // The streams go on.
    program.add("quiet").await;
    for stream in &mut streams {
        read_until(stream, "data: 1").await;
    }
}

#[tokio::test]
async fn requests_pipelined_by_clients_that_do_not_read_take_no_memory() {
    const CLIENTS: usize = 40;
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    let before = program.resident_kib();
    // While the program is stopped, the system takes the requests; then the program finds all of them at once. The clients read
    // no answers,
    // and the page is a large one: answers wait for their client, and the requests behind them wait for the answers.
    program.signal("-STOP");
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = connect(program.address).await;
        send_all_that_fits(&mut stream, TINY, 256 * 1024).await;
        streams.push(stream);
    }
    program.signal("-CONT");
    let health = program.get("/healthz").await;
    assert_eq!(health.status(), 200);
    let after = program.resident_kib();
    assert!(after < before + 512 * CLIENTS as u64, "{before} KiB became {after} KiB");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let app = TestApp::spawn().await;
    let mut stream = connect(app.addr).await;
    let mut requests = Vec::new();
    for value in 1..=300 {
        let body = r#"{"by":1}"#;
        let request = match value % 3 {
            0 => "POST /counters/p/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            1 => format!(
                "POST /counters/p/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
            _ => format!(
                "POST /counters/p/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                 Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                body.len()
            ),
        };
        requests.extend_from_slice(request.as_bytes());
    }
    let (mut reading, mut writing) = stream.split();
    let send = async { writing.write_all(&requests).await.expect("to send") };
    let read = async {
        let (mut bytes, mut values) = (Vec::new(), Vec::<u32>::new());
        while values.len() < 300 {
            let count = reading.read_buf(&mut bytes).await.expect("to receive");
            assert!(count > 0, "closed after {} answers", values.len());
            let text = String::from_utf8_lossy(&bytes);
            values =
                text.split("\r\n\r\n").filter_map(|part| part.split_once('\n')?.0.parse().ok()).collect();
        }
        values
    };
    let (values, ()) =
        tokio::time::timeout(6 * SOON, async { tokio::join!(read, send) }).await.expect("all answers");
    assert_eq!(values, (1..=300).collect::<Vec<u32>>());
}

#[tokio::test]
async fn a_head_larger_than_a_part_is_read_whole() {
    let app = TestApp::spawn().await;
    let cookie = "x".repeat(100_000);
    let answer = client().post(app.counter("c")).header("cookie", cookie).text().await;
    assert_eq!(answer, "1\n");
}

#[tokio::test]
async fn a_client_that_leaves_its_stream_is_noticed_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    let mut stream = ask_for_stream(program.address).await;
    read_until(&mut stream, "data: 0").await;
    crate::crowd::until_held(&program, 1, SOON).await;
    drop(stream);
    crate::crowd::until_held(&program, 0, SOON).await;
}

#[tokio::test]
async fn half_a_head_behind_an_answer_ends_the_connection() {
    let app = TestApp::spawn().await;
    let mut stream = connect(app.addr).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("to send");
    read_until(&mut stream, "ok\n").await;
    // The service may read the byte, and end the connection, long before a busy test goes on.
    let sent = Instant::now();
    stream.write_all(b"G").await.expect("to send");
    ends(&mut stream, Duration::from_secs(45)).await;
    assert!(sent.elapsed() > Duration::from_secs(25), "{:?}", sent.elapsed());
}

#[tokio::test]
async fn a_head_that_does_not_end_is_408_and_no_head_at_all_is_no_answer() {
    let app = TestApp::spawn().await;
    let answered = async |head: &[u8]| {
        let mut stream = connect(app.addr).await;
        stream.write_all(head).await.expect("to send");
        let mut answer = String::new();
        let end = tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await;
        end.expect("the connection to end").expect("to receive");
        answer
    };
    let (half, none) = tokio::join!(answered(b"GET /healthz HTTP/1.1\r\nHo"), answered(b""));
    assert!(half.starts_with("HTTP/1.1 408 "), "{half}");
    assert_eq!(
        none, "",
        "a client that connects in advance must not take it for the answer to its first request"
    );
}

#[tokio::test]
async fn a_kept_connection_lives_as_long_as_is_set() {
    let app = TestApp::with(&[("LIVECOUNTER__CONNECTIONS__KEEP_ALIVE", "8s")]).await;
    let mut stream = connect(app.addr).await;
    let asked = Instant::now();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("to send");
    read_until(&mut stream, "ok\n").await;
    ends(&mut stream, SOON).await;
    assert!(asked.elapsed() > Duration::from_secs(6), "{:?}", asked.elapsed());
}
