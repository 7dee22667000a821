//! A disk without room, and a limit of file sizes: what cannot be written is refused and not counted, and the service goes on.

use std::process::Command;

use crate::program::Program;
use crate::support::http::{Ask, client};

#[tokio::test]
async fn at_the_limit_of_file_sizes_the_service_refuses_to_count_and_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    // `ulimit -f` counts blocks of 512 bytes.
    let program = Program::start_behind("ulimit -f 1000", directory.path());
    let add = async || client().post(program.url("/counters/2/")).answer().await;
    let mut counted = 0;
    let refused = loop {
        let answer = add().await;
        if answer.status() != 200 {
            break answer;
        }
        counted += 1;
        assert!(counted < 1_000, "the limit is not reached");
    };
    let status = refused.status();
    let problem: serde_json::Value = refused.json().await.expect("a problem");
    assert_eq!((status.as_u16(), &problem["title"]), (503, &"Unavailable".into()), "{problem}");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("this has not been counted"), "{detail}");
    assert_eq!(add().await.status(), 503);
    let value = async |program: &Program| client().get(program.url("/counters/2/")).text().await;
    assert!(counted > 0, "there was room for a change");
    assert_eq!(value(&program).await, format!("{counted}\n"));
    assert_eq!(client().get(program.url("/readyz")).answer().await.status(), 503);
    program.signal("-TERM");
    assert_eq!(program.exit_code(), Some(0));
    let unlimited = Program::start(directory.path(), &[]);
    assert_eq!(value(&unlimited).await, format!("{counted}\n"));
}

#[test]
fn a_start_without_room_for_the_file_says_what_to_look_at() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 0; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_livecounter")]);
    let output = command.current_dir(directory.path()).env_clear().output().expect("the program to run");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    let file = directory.path().join("livecounter.db");
    let expected = format!(
        "livecounter: sqlite.path: cannot open {}: disk I/O error; the disk may be full, or the file may have reached the limit of file sizes \
         (ulimit -f)\n",
        file.display()
    );
    assert_eq!(said, expected);
}
