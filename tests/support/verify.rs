//! Runs `livecounter verify` as an operator does.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// So long that a busy machine fails no check.
pub const PATIENT: [&str; 2] = ["--timeout", "30s"];

/// What the command has printed, and its exit status.
#[derive(Debug)]
pub struct Verified {
    pub status: Option<i32>,
    pub output: String,
    pub errors: String,
}

/// Runs the command against this address.
pub async fn verify(url: &str, words: &[&str]) -> Verified {
    verify_with(url, words, &[]).await
}

/// Runs the command with these environment variables and no others.
pub async fn verify_with(url: &str, words: &[&str], environment: &[(&str, &str)]) -> Verified {
    let mut command = Command::new(env!("CARGO_BIN_EXE_livecounter"));
    command.args(["verify", url]).args(words).env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::null()).kill_on_drop(true);
    // A minute more than the longest that all checks together may take in these tests.
    let output = timeout(Duration::from_secs(240), command.output()).await.expect("the command ends");
    let output = output.expect("the command runs");
    Verified {
        status: output.status.code(),
        output: String::from_utf8(output.stdout).expect("text"),
        errors: String::from_utf8(output.stderr).expect("text"),
    }
}

impl Verified {
    /// The line of a check.
    #[track_caller]
    pub fn line(&self, check: &str) -> &str {
        let is_it = |line: &&str| line.split_whitespace().nth(1) == Some(check);
        self.output.lines().find(is_it).unwrap_or_else(|| panic!("no line of {check}: {self:?}"))
    }

    /// Panics unless the line of this check begins with this word and has each of these texts.
    #[track_caller]
    pub fn assert_line(&self, check: &str, word: &str, texts: &[&str]) {
        let line = self.line(check);
        let all = line.starts_with(&format!("{word} ")) && texts.iter().all(|text| line.contains(text));
        assert!(all, "{word}, {texts:?}: {line}\n{}", self.output);
    }

    /// Panics unless no check failed or was skipped.
    #[track_caller]
    pub fn assert_all_ok(&self) {
        let others = self.output.lines().filter(|line| !line.starts_with("ok ")).count();
        let ended = self.output.ends_with("ok, 0 failed, 0 skipped\n");
        assert!(self.status == Some(0) && others == 1 && ended, "{}{}", self.output, self.errors);
        assert_eq!(self.errors, "");
    }
}
