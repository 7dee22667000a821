//! Two thousand listeners, some of which never read.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::program::Program;
use crate::support::http::{Ask, client};
use crate::support::server::Server;
use crate::support::sse::Listener;

const READING: usize = 1_950;
const STUCK: usize = 50;
const CHANGES: u32 = 300;
/// The time between two changes.
const PACE: Duration = Duration::from_millis(25);
/// The number of connections that are being made at a time.
const CONNECTING: usize = 32;
/// Generous: the machine may be building at the same time.
const SOON: Duration = Duration::from_secs(10);
/// The system ends a connection whose client has taken nothing for 20 s; it checks this when it sends again, in growing pauses.
pub(crate) const STUCK_FOR: Duration = Duration::from_secs(20);

const PATH: &str = "/counters/2/";

/// Raises the limit of open files of this process to the number of its listeners, if the system allows it.
pub(crate) fn allow_open_files(count: u64) {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("the limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("the limit");
    let soft = line.split_whitespace().next().expect("the soft limit");
    if soft == "unlimited" || soft.parse::<u64>().expect("a number") >= count {
        return;
    }
    let (id, limit) = (std::process::id().to_string(), format!("--nofile={count}:"));
    let done = Command::new("prlimit").args(["--pid", &id, &limit]).status();
    let done = done.expect("prlimit to run: apt-get install util-linux");
    assert!(done.success(), "the hard limit of open files (ulimit -Hn) is below {count}");
}

/// How many listeners are connected, and how many have the last value; the listeners count themselves.
#[derive(Default)]
struct Count {
    listening: watch::Sender<usize>,
    finished: watch::Sender<usize>,
}

async fn reach(what: &str, count: &watch::Sender<usize>, wanted: usize, within: Duration) {
    let mut counts = count.subscribe();
    let reached = tokio::time::timeout(within, counts.wait_for(|count| *count >= wanted)).await.is_ok();
    assert!(reached, "{what}: {} of {wanted} after {within:?}", *count.borrow());
}

/// Reads the first value of the stream, and then on until the last.
async fn read(program: std::net::SocketAddr, places: Arc<Semaphore>, count: Arc<Count>) {
    let mut listener = {
        let _place = places.acquire().await.expect("a place");
        let mut listener = Listener::connect(program, PATH).await;
        listener.until_data("0", SOON).await;
        listener
    };
    count.listening.send_modify(|count| *count += 1);
    let seen = listener.until_data(&CHANGES.to_string(), Duration::from_secs(120)).await;
    let values: Vec<u32> = seen.iter().map(|event| event.data.parse().expect("a number")).collect();
    assert!(values.is_sorted_by(|a, b| a < b), "nothing older after something newer: {values:?}");
    count.finished.send_modify(|count| *count += 1);
    // The listener stays connected, and reads on.
    listener.ends(Duration::from_secs(600)).await;
}

/// Asks for a stream with a small receive buffer, and reads nothing.
pub(crate) async fn ignore(program: std::net::SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(2048).expect("a small buffer");
    let mut stream = socket.connect(program).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {program}\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the request sent");
    stream
}

/// Waits until the program reports this number of streams.
pub(crate) async fn until_held(program: &impl Server, wanted: usize, within: Duration) {
    let deadline = Instant::now() + within;
    let mut poll = tokio::time::interval(Duration::from_millis(100));
    loop {
        let text = program.metrics().await;
        let line =
            text.lines().find_map(|line| line.strip_prefix("livecounter_listeners ")).expect("the gauge");
        let held: f64 = line.parse().expect("a number");
        if held == wanted as f64 {
            return;
        }
        assert!(Instant::now() < deadline, "{held} streams are held, not {wanted}, after {within:?}");
        poll.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_that_never_read_are_cut_off_and_delay_none_of_2000_others() {
    allow_open_files((READING + STUCK + 500) as u64);
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start_with_few_files(directory.path());
    let idle = program.resident_kib();
    let mut stuck = Vec::new();
    for _ in 0..STUCK {
        stuck.push(ignore(program.address, PATH).await);
    }
    let (count, places) = (Arc::<Count>::default(), Arc::new(Semaphore::new(CONNECTING)));
    let mut reading = JoinSet::new();
    for _ in 0..READING {
        reading.spawn(read(program.address, Arc::clone(&places), Arc::clone(&count)));
    }
    reach("listening", &count.listening, READING, Duration::from_secs(60)).await;
    let joined = program.resident_kib();

    let (client, url) = (client(), program.url(PATH));
    let mut pace = tokio::time::interval(PACE);
    for _ in 0..CHANGES {
        pace.tick().await;
        assert_eq!(client.post(&url).answer().await.status(), 200);
    }
    let posted = Instant::now();
    reach("have the last value", &count.finished, READING, SOON).await;
    let took = posted.elapsed();
    let after = program.resident_kib();
    eprintln!(
        "{took:?} after the last change; KiB: {idle} idle, {joined} joined, {after} after {CHANGES} changes"
    );
    // A listener takes some 10 KiB, whether it reads or not, and and a change takes none.
    assert!(joined - idle < 24 * (READING + STUCK) as u64, "{idle} KiB became {joined}");
    assert!(after < joined + 8 * 1024, "{joined} KiB became {after} with {CHANGES} changes");

    until_held(&program, READING, 3 * STUCK_FOR).await;
    drop(stuck);
    reading.abort_all();
    until_held(&program, 0, SOON).await;
}
