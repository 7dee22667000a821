//! Origins with wrong clocks. Redis's clock measures gates, leases and sweeps. An origin uses its own clock only to check
//! how long the proxy's signature is valid, and to say until when its own token for publishing is. The clock of a file is that of its process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::start::Shape;
use crate::support::http::{Ask, client};
use crate::support::port::Port;
use crate::support::process::{self, Process};
use crate::support::sse::Listener;
use crate::support::wait;
use crate::world::{End, SETTLED_WITHIN, World, until};

/// Runs a world in which the clock of the first origin is wrong by this offset.
async fn with_clock(offset: &'static str) {
    let mut world = World::start(Shape::default()).await;
    world.write_on(30).await;
    world.origins[0].kill();
    world.origins[0].set_clock(offset);
    world.origins[0].run().await;
    world.write_on(100).await;
    // From now on the origin with the wrong clock serves all requests.
    world.origins[1].kill();
    world.write_on(50).await;
    world
        .end(End {
            within: Duration::from_secs(10),
            late: Duration::from_secs(10),
            ambiguous: true,
            ..End::default()
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_origin_whose_clock_is_hours_behind_does_as_the_others() {
    with_clock("-3h").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_origin_whose_clock_is_an_hour_ahead_does_as_the_others() {
    // Pushpin's signatures are valid for an hour.
    with_clock("+1h").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_origin_an_hour_ahead_counts_and_announces_but_opens_no_streams() {
    let mut world = World::start(Shape { writers: 0, ..Shape::default() }).await;
    world.origins[0].kill();
    world.origins[0].set_clock("+2h");
    world.origins[0].run().await;
    let ahead = world.origins[0].url("");
    world.writers.add(&ahead, "a").await;
    world.origins[1].kill();
    world.cache.purge("counter-a").await;
    let proxy = world.pushpins[0].addr();
    // For a moment the cache may still ask the origin that was killed.
    let status = async || i64::from(Listener::connect(proxy, "/counters/a/").await.status());
    until("the refusal", SETTLED_WITHIN, status, |status| status == 501).await;
    assert!(world.origins[0].metric(r#"status="501""#).await > 0.0);
    world.origins[1].run().await;
    // The origin has also refused recoveries. Pushpin repeats them after 1, 2, 4, 8 and 16 s, each with up to a second more. As the cache
    // asks the origins in turn, most of them soon go to the other one.
    let within = Duration::from_secs(36);
    let few = world.listeners.seen().len() as i64 / 10;
    let behind = async || world.behind().await;
    until("most listeners to see the last value", within, behind, |behind| behind <= few).await;
    // By chance, all tries of a stream may go to the wrong one, until its clock is set.
    world.origins[0].kill();
    world.origins[0].set_clock("+0h");
    world.origins[0].run().await;
    world.end(End { within, ..End::default() }).await;
}

/// The library by which `faketime` changes the time of the system for a program.
fn clock_library() -> String {
    process::require("faketime", "faketime");
    let output = Command::new("faketime").args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"]).output();
    String::from_utf8(output.expect("faketime to run").stdout).expect("text").trim().to_owned()
}

/// Starts the program with a file as its store. The clock of its system is wrong by the offset that the file `clock` has, also when that changes.
async fn start_with_clock(port: &Port, dir: TempDir, clock: &Path) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_livecounter"));
    command.args(["serve", "--listen", &port.addr().to_string()]);
    // Only the clock of the date is wrong, not the one that measures durations.
    command.env("LD_PRELOAD", clock_library()).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command.env("FAKETIME_TIMESTAMP_FILE", clock).env("FAKETIME_NO_CACHE", "1");
    let mut process = Process::start("livecounter", &mut command, dir);
    let health = format!("http://{}/healthz", port.addr());
    process.until(async || client().get(&health).send().await.is_ok_and(|a| a.status() == 200)).await;
    process
}

/// Adds 1 to a counter, and waits until its past has that in the present hour. Returns the number of this hour since 1970.
async fn hour_of_an_addition(server: SocketAddr) -> i64 {
    let counter = format!("http://{server}/counters/a/");
    let value: i64 = client().post(&counter).text().await.trim().parse().expect("a value");
    let mut hour = 0;
    wait::until("the addition is in the past of the counter", async || {
        let past = client().get(format!("{counter}history?last=1")).text().await;
        let past: Value = serde_json::from_str(&past).expect("JSON");
        let start: Timestamp = past["entries"][0]["start"].as_str().expect("a time").parse().expect("a time");
        hour = start.as_second() / 3600;
        past["entries"][0]["value"] == value
    })
    .await;
    hour
}

#[tokio::test]
async fn one_process_follows_a_clock_that_is_set_forward_and_not_back() {
    let (port, dir) = (Port::reserve(), process::directory());
    let clock = dir.path().join("clock");
    let set = |offset: &str| std::fs::write(&clock, offset).expect("to write");
    set("-50d");
    let _process = start_with_clock(&port, dir, &clock).await;
    let real = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
        since.as_secs() as i64 / 3600
    };
    let (least, wrong, most) = (real(), hour_of_an_addition(port.addr()).await, real());
    assert!((least - 50 * 24..=most - 50 * 24).contains(&wrong), "{wrong}");
    set("+0");
    let (least, right, most) = (real(), hour_of_an_addition(port.addr()).await, real());
    assert!((least..=most).contains(&right), "{right}");
    set("-50d");
    let again = hour_of_an_addition(port.addr()).await;
    assert!((right..=real()).contains(&again), "{again}");
}
