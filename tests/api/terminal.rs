//! What commands write to a terminal, in a terminal of `script`, which Debian always has.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::import::done;

/// Runs the program with these words in a terminal. What it writes there is the output of the child.
fn in_terminal(directory: &Path, words: &str) -> Child {
    let mut script = Command::new("script");
    script.args(["-qec", &format!("'{}' {words}", env!("CARGO_BIN_EXE_livecounter")), "/dev/null"]);
    script.current_dir(directory).env("RUST_LOG", "info").stdin(Stdio::null()).stdout(Stdio::piped());
    script.spawn().expect("script of bsdutils")
}

/// The exit status, and what the program has written to its terminal.
fn written(mut child: Child) -> (Option<i32>, String) {
    let mut text = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut text).expect("text");
    (child.wait().expect("an end").code(), text)
}

/// The export is longer than a pipe is deep, so it waits for its reader, who goes on when the first report is due.
#[test]
fn an_export_tells_a_terminal_each_second_how_far_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let lines = (0..3000).map(|n| format!("{{\"id\":\"{n:060}\",\"value\":{n}}}\n")).collect::<String>();
    done(directory.path(), &[], &["import", "--set"], &lines);
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let export = in_terminal(directory.path(), "export --output pipe");
    let mut reader = std::fs::File::open(&pipe).expect("a pipe that is written to");
    // With its first byte, the second before its first report has begun.
    let mut first = [0];
    reader.read_exact(&mut first).expect("a byte");
    std::thread::sleep(Duration::from_millis(1_100));
    let mut exported = String::from_utf8(first.to_vec()).expect("text");
    reader.read_to_string(&mut exported).expect("text");
    assert_eq!(exported.lines().count(), 3002);
    let (status, text) = written(export);
    assert_eq!(status, Some(0), "{text}");
    let first = text.lines().next().and_then(|line| line.strip_suffix(" lines written"));
    let count: u32 = first.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{text:?}"));
    assert!((500..=3000).contains(&count), "{text}");
}

#[test]
fn an_import_does_not_wait_for_lines_from_a_keyboard() {
    let directory = tempfile::tempdir().expect("a directory");
    let (status, text) = written(in_terminal(directory.path(), "import --set"));
    assert_eq!(status, Some(2));
    assert!(text.starts_with("livecounter: import reads a file or standard input"), "{text}");
    assert!(std::fs::read_dir(directory.path()).expect("the directory").next().is_none());
}
