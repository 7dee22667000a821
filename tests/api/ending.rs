//! How the program ends: requests under way at SIGTERM are finished, and changes acknowledged before kill -9 are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::grip::GRIP_URL;
use crate::program::Program;
use crate::support::http::client;
use crate::support::server::Server;
use crate::support::wait::until;

const SOON: Duration = Duration::from_secs(10);
const WRITERS: i64 = 16;
/// The number of answers that the test awaits before it kills the program.
const ANSWERS: i64 = 500;

#[tokio::test]
async fn a_request_whose_body_is_half_sent_at_sigterm_is_answered_and_counted() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    let mut socket = TcpStream::connect(program.address).await.expect("a connection");
    let head = "POST /counters/2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n\
                Content-Type: application/json\r\nContent-Length: 8\r\n\r\n";
    socket.write_all(head.as_bytes()).await.expect("to send");
    let mut answer = [0; 25];
    socket.read_exact(&mut answer).await.expect("to receive");
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n", "the request is under way");
    socket.write_all(b"{\"by").await.expect("to send");
    program.signal("-TERM");
    until("the port to be closed", async || TcpStream::connect(program.address).await.is_err()).await;
    let cut_off = tokio::time::timeout(Duration::from_millis(500), socket.read(&mut answer)).await;
    assert!(cut_off.is_err(), "{cut_off:?}: the client has not sent everything yet");
    socket.write_all(b"\":5}").await.expect("to send");
    let mut answer = String::new();
    let received = tokio::time::timeout(SOON, socket.read_to_string(&mut answer)).await;
    received.expect("an answer in time").expect("to receive");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n5\n"), "{answer:?}");
    assert_eq!(program.exit_code(), Some(0));
    assert_eq!(Program::start(directory.path(), &[]).read("2").await, 5);
}

#[tokio::test]
async fn kill_9_among_many_writers_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    let (client, counter) = (client(), program.url("/counters/2/"));
    let answered = Arc::new(AtomicI64::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (client, counter, answered) = (client.clone(), counter.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                while client.post(&counter).send().await.is_ok_and(|answer| answer.status() == 200) {
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let enough = async {
        let mut poll = tokio::time::interval(Duration::from_millis(1));
        while answered.load(Ordering::Relaxed) < ANSWERS {
            poll.tick().await;
        }
    };
    tokio::time::timeout(SOON * 3, enough).await.expect("answers");
    program.signal("-KILL");
    drop(program);
    for writer in writers {
        writer.await.expect("to have been cut off");
    }
    let answered = answered.load(Ordering::Relaxed);
    let kept = Program::start(directory.path(), &[]).read("2").await;
    // The last POST of each writer may have been counted although its answer was lost.
    assert!((answered..=answered + WRITERS).contains(&kept), "{answered} answered, {kept} kept");
}

#[tokio::test]
async fn acknowledged_changes_survive_kill_9() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    for expected in 1..=20 {
        assert_eq!(program.add("2").await, expected);
    }
    program.signal("-KILL");
    drop(program);
    assert!(directory.path().join("livecounter.db").exists(), "one file in the working directory");
    let again = Program::start(directory.path(), &[]);
    assert_eq!(again.read("2").await, 20);
}

#[tokio::test]
async fn sigterm_and_ctrl_c_end_the_process_with_status_0() {
    for signal in ["-TERM", "-INT"] {
        let directory = tempfile::tempdir().expect("a directory");
        let program = Program::start(directory.path(), &[]);
        program.add("2").await;
        program.signal(signal);
        assert_eq!(program.exit_code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    // The program waits up to ten seconds for an announcement that cannot be made.
    let mut program = Program::start(directory.path(), &[("GRIP_URL", GRIP_URL)]);
    program.add("2").await;
    program.signal("-TERM");
    program.until_logged("a second signal ends the process at once");
    program.signal("-INT");
    program.until_logged("Ctrl-C is the second signal: ending at once");
    assert_eq!(program.exit_code(), Some(130));
}

#[tokio::test]
async fn changes_not_announced_at_the_end_are_logged() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut program = Program::start(directory.path(), &[("GRIP_URL", GRIP_URL)]);
    program.add("2").await;
    program.signal("-TERM");
    let log = program.rest_of_log();
    assert!(log.contains("not everything pending could be announced; it stays in the outbox"), "{log}");
    assert_eq!(program.exit_code(), Some(0));
}
