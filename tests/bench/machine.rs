//! Where and when was measured, and with which peers.

use std::fs;
use std::process::Command;
use std::thread;

use crate::knobs::Knobs;

/// Lines to stand above the table.
pub(crate) fn describe(knobs: &Knobs) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let packages = ["redis-server", "pushpin", "varnish", "nginx", "libnginx-mod-nchan", "webdis", "wrk"];
    let versions =
        output(Command::new("dpkg-query").args(["-W", "-f", "${Package} ${Version}, "]).args(packages));
    let disk = output(Command::new("df").args(["--output=fstype", env!("CARGO_TARGET_TMPDIR")]));
    format!(
        "{date}: {cores} cores, {model}, Linux {kernel}, SQLite on {disk}, load before {load}\n\
         {rounds} interleaved rounds, {seconds} s a load\n\
         livecounter {version}, {versions}\n",
        disk = disk.lines().last().unwrap_or_default(),
        date = output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
        model = model(),
        rounds = knobs.rounds,
        seconds = knobs.seconds,
        version = env!("CARGO_PKG_VERSION"),
        versions = versions.trim_end_matches([',', ' ']),
    )
}

fn model() -> String {
    let text = read("/proc/cpuinfo");
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or("unknown processor", |line| line.trim_start_matches([' ', '\t', ':'])).to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn output(command: &mut Command) -> String {
    command
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}
