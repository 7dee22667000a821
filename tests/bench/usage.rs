//! CPU time and memory of a server and all its descendants, from /proc.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result};

/// The ids of the running process `root` and of its running descendants.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let parents: BTreeMap<u32, u32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?.parent)))
        .collect();
    let descends = |mut pid: u32| {
        while pid != root {
            match parents.get(&pid) {
                Some(&parent) if parent != pid => pid = parent,
                _ => return false,
            }
        }
        true
    };
    parents.keys().copied().filter(|&pid| descends(pid)).collect()
}

struct Stat {
    parent: u32,
    ticks: u64,
}

/// The fields of /proc/PID/stat. They are counted from the end of the name, as the name may contain spaces.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let (user, system): (u64, u64) = (fields.get(11)?.parse().ok()?, fields.get(12)?.parse().ok()?);
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks: user + system })
}

/// The CPU time that the running processes of a tree have used, in microseconds.
pub(crate) fn cpu_us(root: u32) -> f64 {
    let ticks: u64 = tree(root).into_iter().filter_map(stat).map(|stat| stat.ticks).sum();
    ticks as f64 * 1e6 / ticks_per_second()
}

fn ticks_per_second() -> f64 {
    static TICKS: OnceLock<f64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        let output = Command::new("getconf").arg("CLK_TCK").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        text.ok().and_then(|text| text.parse().ok()).unwrap_or(100.0)
    })
}

/// The memory of a tree in KiB. Pages that several processes share are counted once (PSS).
pub(crate) fn memory_kib(root: u32) -> Result<f64> {
    let mut total = 0.0;
    for pid in tree(root) {
        total += rollup(pid, "Pss:")?;
    }
    Ok(total)
}

/// The resident memory of one process in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<f64> {
    rollup(pid, "Rss:")
}

fn rollup(pid: u32, field: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line =
        text.lines().find(|line| line.starts_with(field)).with_context(|| format!("{field} in {path}"))?;
    Ok(line.split_whitespace().nth(1).context("no figure")?.parse()?)
}
