//! An older copy is restored into Redis while listeners have seen later values.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::hits;
use crate::managers::Managers;
use crate::start::Shape;
use crate::support::http::{Ask, client};
use crate::support::redis::RedisServer;
use crate::world::{End, World, until};
use crate::writers::Writers;

const SOON: Duration = Duration::from_secs(10);
const SNAPSHOT: &str = "dump.rdb";
const LOG: &str = "appendonlydir";

/// A field of `INFO persistence`.
fn persistence(redis: &RedisServer, field: &str) -> i64 {
    let info = redis.cli(&["INFO", "persistence"]);
    let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {field} in {info}"))
}

/// Runs `BGSAVE` and copies the snapshot.
async fn copy_snapshot(redis: &RedisServer, to: &Path) {
    redis.cli(&["BGSAVE"]);
    let saving = async || persistence(redis, "rdb_bgsave_in_progress");
    until("the snapshot to be written", SOON, saving, |saving| saving == 0).await;
    fs::copy(redis.directory().join(SNAPSHOT), to.join(SNAPSHOT)).expect("a copy");
}

/// Restores the snapshot: a Redis without an append-only file loads it, and then writes an append-only file.
async fn restore_snapshot(at: &Path, from: &Path) {
    fs::remove_dir_all(at.join(LOG)).expect("to remove the old files");
    fs::copy(from.join(SNAPSHOT), at.join(SNAPSHOT)).expect("to copy");
    let cli = |command: &[&str]| {
        let output = Command::new("redis-cli").arg("-s").arg(at.join("once.sock")).args(command).output();
        String::from_utf8_lossy(&output.expect("redis-cli").stdout).into_owned()
    };
    let mut once = Command::new("redis-server");
    once.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]);
    once.arg(at.join("once.sock")).arg("--dir").arg(at).stdout(Stdio::null());
    let mut once = once.spawn().expect("redis-server");
    let answers = async || i64::from(cli(&["PING"]).trim() == "PONG");
    until("Redis to have loaded the snapshot", SOON, answers, |answers| answers == 1).await;
    cli(&["CONFIG", "SET", "appendonly", "yes"]);
    let writing = async || {
        let info = cli(&["INFO", "persistence"]);
        i64::from(!(info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")))
    };
    until("the append-only file to be written", SOON, writing, |writing| writing == 0).await;
    cli(&["SHUTDOWN"]);
    once.wait().expect("its end");
}

/// Copies the append-only files. Redis must not rewrite them meanwhile.
async fn copy_log(redis: &RedisServer, to: &Path) {
    redis.cli(&["CONFIG", "SET", "auto-aof-rewrite-percentage", "0"]);
    let writing = async || persistence(redis, "aof_rewrite_in_progress");
    until("Redis to rewrite no file", SOON, writing, |writing| writing == 0).await;
    copy_files(&redis.directory().join(LOG), &to.join(LOG));
    redis.cli(&["CONFIG", "SET", "auto-aof-rewrite-percentage", "100"]);
}

fn restore_log(at: &Path, from: &Path) {
    fs::remove_dir_all(at.join(LOG)).expect("to remove the old files");
    copy_files(&from.join(LOG), &at.join(LOG));
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a directory");
    for file in fs::read_dir(from).expect("the files") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}

/// A world in which the listeners have seen later values than those of the copy in this directory. Also returns the latest
/// values.
async fn ahead_of(copy: impl AsyncFn(&RedisServer, &Path), kept: &Path) -> (World, HashMap<String, i64>) {
    let mut world = World::start(Shape::default()).await;
    world.write_on(100).await;
    // The copy is made while writers add.
    copy(&world.redis.server, kept).await;
    world.write_on(150).await;
    world.end(End::default()).await;
    let values = values(&world).await;
    world.redis.server.kill();
    world.begin_anew();
    (world, values)
}

async fn values(world: &World) -> HashMap<String, i64> {
    let mut values = HashMap::new();
    for name in world.all_names() {
        let value = world.value(&name).await;
        values.insert(name, value);
    }
    values
}

/// Checks the world after the restore. Counter `a` gets exactly as many changes as were forgotten, of another amount; writers
/// add to `b` and visit the pages; `c` keeps the value of the copy.
async fn goes_on(mut world: World, before: HashMap<String, i64>) {
    let keys =
        ["counter-a counter-b counter-c counter-m counter-n", &hits::pages_and_site().join(" ")].join(" ");
    world.cache.purge(&keys).await;
    let mut from = values(&world).await;
    for counter in &world.counters {
        let value = &from[counter];
        assert!(value > &0 && value < &before[counter], "{counter}: {value} of {}", before[counter]);
    }
    let (proxy, forgotten) = (format!("http://{}", world.pushpins[0].addr()), before["a"] - from["a"]);
    for _ in 0..forgotten {
        let answer = client().post(format!("{proxy}/counters/a/?by=10")).answer().await;
        assert_eq!(answer.status(), 200);
    }
    from.insert("a".into(), from["a"] + 10 * forgotten);
    assert_eq!(world.value("a").await, from["a"]);
    world.writers = Writers::start(6, std::slice::from_ref(&proxy), &["b".to_owned()], 2);
    world.visitors = Writers::of_pages(3, std::slice::from_ref(&proxy), &hits::pages(), 2);
    world.managers = Managers::start(3, std::slice::from_ref(&proxy), &["m".to_owned()], &world.owner, 2);
    world.routes.write_anew(2, &[proxy], 2);
    world.write_on(100).await;
    // No origin publishes `c` and `n`, so their listeners wait for the proxy to ask after some silence (docs/backup.md).
    let within = Duration::from_secs(32);
    world.end(End { within, memories: 1, ambiguous: true, from, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_see_a_snapshot_restored_into_redis_and_count_on_from_it() {
    let kept = tempfile::tempdir().expect("a directory");
    let (mut world, before) = ahead_of(copy_snapshot, kept.path()).await;
    restore_snapshot(world.redis.server.directory(), kept.path()).await;
    world.redis.server.run();
    goes_on(world, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_see_a_restored_append_only_file_and_count_on_from_it() {
    let kept = tempfile::tempdir().expect("a directory");
    let (mut world, before) = ahead_of(copy_log, kept.path()).await;
    restore_log(world.redis.server.directory(), kept.path());
    world.redis.server.run();
    goes_on(world, before).await;
}
