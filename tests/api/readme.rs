//! README.md, whose commands are run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::program::Program;

/// A command of a shell, and the lines that the document shows below it.
struct Example {
    line: usize,
    command: String,
    shown: Vec<String>,
}

/// The commands in blocks of the language `console`, in the order of the document.
fn examples(text: &str) -> Vec<Example> {
    let (mut examples, mut is_console) = (Vec::<Example>::new(), false);
    for (line, content) in (1..).zip(text.lines()) {
        if let Some(language) = content.strip_prefix("```") {
            is_console = language == "console";
        } else if let Some(command) = content.strip_prefix("$ ").filter(|_| is_console) {
            examples.push(Example { line, command: command.to_owned(), shown: Vec::new() });
        } else if is_console {
            let of = examples.last_mut().unwrap_or_else(|| panic!("line {line} belongs to no command"));
            of.shown.push(content.to_owned());
        }
    }
    examples
}

/// A line without what differs each time: the time to wait, the epoch in an id, which has any number of digits, and the present
/// time; nor with the spaces behind the comment that begins a stream.
fn lasting(line: &str) -> String {
    let varying = [
        (r"^retry: \d+$", "retry: N"),
        (r#"(@|"drop_id":")[0-9a-f]+-(\d)"#, "${1}EPOCH-$2"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    ];
    varying.iter().fold(line.trim_end().to_owned(), |line, (pattern, name)| {
        regex::Regex::new(pattern).expect("a pattern").replace_all(&line, *name).into_owned()
    })
}

/// A command that goes on, and is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_command_of_the_readme_answers_as_it_shows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let examples = examples(&std::fs::read_to_string(path).expect("the document"));
    assert!(examples.len() > 8, "{} commands", examples.len());
    let directory = tempfile::tempdir().expect("a directory");
    let program = Program::start(directory.path(), &[]);
    let mut streams = Vec::new();
    for Example { line, command, shown } in examples {
        let own = command.replace("127.0.0.1:8000", &program.address.to_string());
        // `exec` makes curl the child itself, so that a stream can be ended.
        let own = own.replacen("curl ", "exec curl --silent --noproxy '*' --max-time 30 ", 1);
        let child = Command::new("sh").args(["-c", &own]).stdout(Stdio::piped()).spawn();
        let mut child = Running(child.expect("a shell"));
        let output = BufReader::new(child.0.stdout.take().expect("its output"));
        // A stream goes on, so only the lines that the document shows are read. Another answer is read to its end.
        let is_stream = command.contains("curl -N");
        let most = if is_stream { shown.len() } else { usize::MAX };
        let lines: Vec<_> = output.lines().take(most).map(|line| lasting(&line.expect("a line"))).collect();
        let shown: Vec<_> = shown.iter().map(|line| lasting(line)).collect();
        assert_eq!(lines, shown, "line {line}: {command}");
        if is_stream {
            streams.push(child);
        }
    }
    assert_eq!(streams.len(), 1, "one command listens");
}
