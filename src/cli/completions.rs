//! The command `livecounter completions`.

use std::process::ExitCode;

use clap_complete::Shell;

use super::task::print;

/// Print a script that lets a shell complete commands and options
///
/// For bash: livecounter completions bash > ~/.local/share/bash-completion/completions/livecounter
#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(super) struct Completions {
    /// The shell that the script is for
    #[arg(value_name = "SHELL")]
    pub(super) shell: Shell,
}

impl Completions {
    pub(super) fn run(self, line: &mut clap::Command) -> ExitCode {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, line, "livecounter", &mut script);
        print(&String::from_utf8_lossy(&script));
        ExitCode::SUCCESS
    }
}
