//! Which clients are served while others have taken many connections.

use std::process::Command;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::connections::{SOON, ask_for_stream, connect, read_until};
use crate::crowd::{allow_open_files, until_held};
use crate::program::{Program, program};
use crate::support::http::{Ask, client};
use crate::support::server::Server;

#[tokio::test]
async fn streams_leave_connections_for_others() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = program(directory.path());
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("LIVECOUNTER__CONNECTIONS__MAX", "40");
    let program = Program::run(command);
    let mut streams = Vec::new();
    let mut refused = Vec::new();
    let mut kept = Vec::new();
    // 36 of the 40 may be streams. The clients of refused ones keep their connections, as browsers do; the service ends them.
    for _ in 0..50 {
        let mut stream = ask_for_stream(program.address).await;
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        if answer.starts_with("HTTP/1.1 200") {
            streams.push(stream);
        } else {
            kept.push(stream);
            refused.push(answer);
        }
    }
    assert_eq!((streams.len(), refused.len()), (36, 14));
    for answer in refused {
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.to_lowercase().contains("\r\nretry-after: "), "{answer}");
        assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    }
    for path in ["/healthz", "/readyz"] {
        let answer = program.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
    }
    let answer = program.post("/counters/2/").await;
    assert_eq!(answer.status(), 200);
    // When a stream ends, another may begin.
    streams.clear();
    until_held(&program, 0, SOON).await;
    let mut stream = ask_for_stream(program.address).await;
    read_until(&mut stream, "data: 0").await;
}

#[tokio::test]
async fn few_open_files_mean_few_streams_and_requests_are_answered() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 300; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_livecounter")]);
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(directory.path());
    command.env_clear().env("RUST_LOG", "info").env("LIVECOUNTER__WORKERS", "2");
    let program = Program::run(command);
    allow_open_files(1500);
    let mut opened = JoinSet::new();
    for _ in 0..400 {
        let address = program.address;
        opened.spawn(async move {
            let mut stream = ask_for_stream(address).await;
            let answer = read_until(&mut stream, "\r\n\r\n").await;
            (answer.starts_with("HTTP/1.1 200")).then_some(stream)
        });
    }
    let streams: Vec<_> = opened.join_all().await.into_iter().flatten().collect();
    assert_eq!(streams.len(), 183, "nine tenths of 300 less what the program needs itself");
    let answer = program.post("/counters/2/").await;
    assert_eq!(answer.status(), 200);
    let health = program.get("/healthz").await;
    assert_eq!(health.status(), 200);
}

#[tokio::test]
async fn three_thousand_clients_at_once_find_a_place_in_the_queue() {
    const CLIENTS: usize = 3000;
    allow_open_files(CLIENTS as u64 + 1000);
    let somaxconn = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("the limit");
    let somaxconn: usize = somaxconn.trim().parse().expect("a number");
    assert!(somaxconn >= CLIENTS, "net.core.somaxconn is {somaxconn}: sysctl -w net.core.somaxconn=4096");
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    // While the program is stopped, only the system's queue takes connections.
    program.signal("-STOP");
    let mut connecting = JoinSet::new();
    for _ in 0..CLIENTS {
        connecting.spawn(connect(program.address));
    }
    let connected = tokio::time::timeout(SOON, connecting.join_all()).await;
    program.signal("-CONT");
    let mut streams = connected.expect("all to be taken by the queue");
    for stream in &mut streams {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("to send");
    }
    for stream in &mut streams {
        read_until(stream, "ok\n").await;
    }
}

#[tokio::test]
async fn operators_have_a_listener_that_strangers_cannot_fill() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = program(directory.path());
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    command.env("LIVECOUNTER__OPS__LISTEN", "127.0.0.1:0").env("LIVECOUNTER__CONNECTIONS__MAX", "4");
    let mut program = Program::run(command);
    let ops = program.until_logged("serving operators on http://");
    let ops: String = ops.chars().take_while(|c| *c != '/').collect();
    let (public, ops) = (program.address, format!("http://{ops}"));
    let get = async |url: String| client().get(url).answer().await;
    assert_eq!(get(format!("http://{public}/metrics")).await.status(), 404);
    assert_eq!(get(format!("http://{public}/healthz")).await.status(), 200);
    assert_eq!(get(format!("{ops}/counters/2/")).await.status(), 404);
    // Connections that send nothing: as many as there may be, and more.
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(connect(public).await);
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        let answer = get(format!("{ops}{path}")).await;
        assert_eq!(answer.status(), 200, "{path}");
    }
    let metrics = get(format!("{ops}/metrics")).await.text().await.expect("a text");
    assert!(metrics.contains("route=\"/healthz\""), "the requests of both are counted: {metrics}");
}
