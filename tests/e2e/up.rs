//! `make up`: the whole chain without Docker, until Ctrl-C.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::http::{Ask, client};
use crate::support::port::Port;
use crate::support::process::{Process, directory, repository};
use crate::support::sse::Listener;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn make_up_serves_streams_and_leaves_nothing_behind() {
    check_make_up(&[]).await;
}

#[tokio::test]
async fn make_up_with_a_front_serves_streams_and_takes_cookies() {
    check_make_up(&[("FRONT", "1")]).await;
}

#[tokio::test]
async fn make_up_refuses_a_front_beside_an_edge() {
    let mut command = Command::new(repository(".ci/up"));
    command.envs([("FRONT", "1"), ("EDGE", "1")]);
    let mut up = Process::start("make up", &mut command, directory());
    assert_eq!(up.ended(SOON).await.code(), Some(1));
    assert!(up.log().contains("EDGE=1 and FRONT=1 exclude each other"), "{}", up.log());
}

/// The packages that `make up` installs with these variables, if they are missing.
fn packages(variables: &[&str]) -> Vec<String> {
    let directory = env!("CARGO_MANIFEST_DIR");
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "-n", "up"]).args(variables).current_dir(directory);
    for name in ["FRONT", "EDGE", "MAKEFLAGS"] {
        make.env_remove(name);
    }
    let commands = String::from_utf8(make.output().expect("make").stdout).expect("text");
    let arguments = commands.lines().find_map(|line| line.strip_prefix(".ci/deps")).expect(".ci/deps");
    let mut deps = Command::new(repository(".ci/deps"));
    let listed = deps.arg("list").args(arguments.split_whitespace()).output().expect(".ci/deps");
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8(listed.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn make_up_installs_only_what_it_starts() {
    let mut needed = vec![
        "condure",
        "gcc",
        "pushpin",
        "redis-server",
        "redis-tools",
        "varnish",
        "varnish-modules",
        "zurl",
    ];
    assert_eq!(packages(&[]), needed);
    needed.insert(2, "haproxy");
    assert_eq!(packages(&["FRONT=1"]), needed);
    needed[2] = "openssl";
    assert_eq!(packages(&["EDGE=1"]), needed);
}

/// The settings of the ports; the first is that for browsers.
const PORTS: [&str; 8] = [
    "PORT",
    "REDIS_PORT",
    "ORIGIN_PORT",
    "ORIGIN_B_PORT",
    "CACHE_PORT",
    "PURGE_PORT",
    "CONTROL_PORT",
    "PUSHPIN_PORT",
];

/// The script on these ports, with its files in `place`.
fn command(ports: &[Port; 8], place: &Path, environment: &[(&str, &str)]) -> Command {
    // Tests that run in the background ignore SIGINT, and a shell that has ignored it from its start cannot trap it.
    let mut command = Command::new("env");
    command.arg("--default-signal=INT").arg(repository(".ci/up"));
    command.envs(PORTS.into_iter().zip(ports.iter().map(|port| port.number().to_string())));
    command.env("LIVECOUNTER_BIN", env!("CARGO_BIN_EXE_livecounter")).env("TMPDIR", place);
    for name in ["FRONT", "EDGE", "CERTIFICATE"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    command
}

async fn check_make_up(environment: &[(&str, &str)]) {
    let ports = PORTS.map(|_| Port::reserve());
    let dir = directory();
    let place = dir.path().join("tmp");
    std::fs::create_dir(&place).expect("a directory");
    let mut up = Process::start("make up", &mut command(&ports, &place, environment), dir);
    let public = ports[0].addr();
    let (log, serving) = (up.dir().join("log"), format!("livecounter is up: http://{public}/\n"));
    up.until(async || std::fs::read_to_string(&log).is_ok_and(|log| log.contains(&serving))).await;

    let counter = format!("http://{public}/counters/2/");
    let mut listener = Listener::connect(public, "/counters/2/").await;
    assert_eq!(listener.next(SOON).await.data, "0");
    let added = client().post(&counter).answer().await;
    assert_eq!(added.text().await.expect("a text"), "1\n");
    assert_eq!(listener.next(SOON).await.data, "1");
    if !environment.is_empty() {
        // Pushpin itself resets such a connection, so that this answer is the front's.
        let cookies = client().get(&counter).header("Cookie", "x".repeat(8500));
        assert_eq!(cookies.send().await.expect("an answer in spite of cookies").status(), 200);
    }

    // As a terminal does, the test sends the signal to the script's process group, to which the servers do not belong.
    let interrupt = format!("kill -INT -{}", up.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().expect("a shell").success());
    let status = up.ended(Duration::from_secs(30)).await;
    assert_eq!(status.code(), Some(0), "{}", up.log());
    let left: Vec<_> = std::fs::read_dir(&place).expect("the directory").collect();
    assert!(left.is_empty(), "{left:?}");
    for port in &ports {
        assert!(
            std::net::TcpStream::connect(port.addr()).is_err(),
            "a program still listens on {}",
            port.number()
        );
    }
}
