//! Statements that sort more than fits into memory.

use super::*;
use crate::program::Program;

/// How much more memory the process may take at its peak, in KiB. In memory, each of these sorts took more than 800 MiB.
const GROWTH_KIB: u64 = 150 * 1024;

/// The most memory that the process has taken so far, in KiB.
fn peak_kib(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).expect("the status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the peak");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test]
async fn sorts_of_gigabytes_end_in_time_and_take_little_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    let address = format!("http://{}", program.address);
    let fields = json!({"text": "x".repeat(500), "n": 1});
    for number in 0..400 {
        let answer = client().post(format!("{address}/entity/t/{number:03}")).json(&fields).answer().await;
        assert!(answer.status().is_success());
    }
    let ask = |statement: &str| told(client().post(format!("{address}/sql")).body(statement.to_owned()));
    assert_eq!(ask("SELECT count(text) AS n FROM t").await.0, 200);
    let before = peak_kib(&program);
    for statement in [
        "SELECT a.text || b.key || c.key AS x FROM t a, t b, t c ORDER BY x DESC",
        "SELECT count(DISTINCT a.text || b.key || c.key) AS n FROM t a, t b, t c",
        // One table, however often it is named: what it may take is bounded all the same.
        "SELECT a.text || i.key AS x FROM t a, t b, t c, t d, t e, t f, t g, t h, t i ORDER BY x DESC, b.text, c.text, d.text, e.text",
        "SELECT x, count(*) FROM (SELECT a.text || b.key || c.key AS x FROM t a, t b, t c) GROUP BY x ORDER BY 2",
        "SELECT sum(length(x)) OVER (ORDER BY x) FROM (SELECT a.text || b.key || c.key AS x FROM t a, t b, t c)",
        "SELECT group_concat(x) FROM (SELECT a.text || b.key AS x FROM t a, t b UNION SELECT a.text || b.key FROM t a, t b, t c)",
    ] {
        let (status, refused) = ask(statement).await;
        assert_eq!(status, 422, "{statement}: {refused}");
        let peak = peak_kib(&program);
        assert!(peak < before + GROWTH_KIB, "{statement}: {before} KiB before, {peak} KiB at the peak");
    }
    assert_eq!(ask("SELECT count(text) AS n FROM t").await.0, 200);
}
